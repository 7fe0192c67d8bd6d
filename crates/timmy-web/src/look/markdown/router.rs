//! The router in Markdown.

use super::{Line, Md, Twin, stated};
use crate::look::Shell;
use crate::look::router::rung::Rung;
use crate::look::router::{LadderPart, LogPart, RouterPage, WhatIf};

fn rung(rung: &Rung, md: &mut Md) {
    let Rung {
        number,
        name,
        kind,
        model,
        place,
        state,
        last,
        rests,
        beats: _,
        beats_said,
        figures,
        models,
        why,
        mend,
        ..
    } = rung;
    md.heading(3, &format!("{number}. {name}"));
    let mut line = stated(state, kind).also(model).also(&place.word);
    if *last {
        line = line.also("answered the last request");
    }
    md.line(line);
    md.words(why);
    md.words(mend);
    for rest in rests {
        let line = Line::new().text(&rest.text);
        md.item(match &rest.until {
            Some(until) => line.text(", tried again at ").time(until),
            None => line,
        });
    }
    md.item(Line::new().text(beats_said));
    md.facts(figures);
    if !models.is_empty() {
        md.item(Line::new().strong("Models").text(": ").text(models));
    }
    if let Some(trial) = &rung.trial {
        md.item(Line::new().strong("Trial").text(": ").text(&trial.state.word).text(". ").text(&trial.text));
    }
}

fn log(part: &LogPart, md: &mut Md) {
    let LogPart { requests, recording, budgets, days, left, older, query: _ } = part;
    md.heading(2, "Last requests");
    if requests.is_empty() {
        md.words("None since the start.");
    }
    for row in requests {
        let path: Vec<&str> = row.steps.iter().map(|step| step.state.word.as_str()).collect();
        let line = Line::new().time(&row.at).text(": ").strong(&row.purpose).also(&row.label.word);
        md.item(line.also(&path.join(", then ")).also(&row.took).also(&row.cost));
    }
    if *recording {
        md.words("Questions and answers are written to traffic.jsonl in the home, without what is labelled local.");
        md.words("To end that: record = false in the section [cascade].");
    }
    md.heading(2, "Budgets");
    for gauge in budgets {
        md.gauge(gauge);
    }
    md.heading(2, "What left this machine");
    if left.is_empty() {
        md.words("Nothing left this machine so far.");
    }
    for (day, sum) in days {
        md.item(Line::new().strong(day).text(": ").text(sum));
    }
    for row in left {
        let line = Line::new().time(&row.at).text(": ").text(&row.host).also(&row.whom).also(&row.why);
        md.item(line.also(&row.bytes).also(&row.cost));
    }
    if let Some(older) = older {
        md.line(Line::new().link("Older lines", older));
    }
}

impl Twin for RouterPage {
    fn shell(&self) -> &Shell {
        &self.shell
    }

    fn write(&self, md: &mut Md) {
        let Self { shell: _, ladder, log: part, what_if, machine } = self;
        let LadderPart { staying, rungs, csrf: _ } = ladder;
        let line = stated(&staying.state, &staying.text);
        md.line(match &staying.until {
            Some(until) => line.text(" Until ").time(until),
            None => line,
        });
        md.command("timmy router local-only 60");
        md.heading(2, "Who is asked, in order");
        for one in rungs {
            rung(one, md);
        }
        let WhatIf { rows, said, .. } = what_if;
        if !rows.is_empty() {
            md.heading(2, "What if");
            md.words(said);
            for row in rows {
                md.item(stated(&row.state, &row.whom).also(&row.text));
            }
        }
        md.heading(2, "This machine");
        for fact in machine {
            md.item(Line::new().strong(&fact.label).text(": ").text(&fact.value));
        }
        log(part, md);
    }
}
