//! Tasks, approvals and agents in Markdown.

use super::{Line, Md, Twin, stated};
use crate::look::approvals::{ApprovalsPage, Card};
use crate::look::tasks::{AgentsPage, Button, TaskPage, TaskPart, TaskRow, TasksPage};
use crate::look::{Choice, Shell};

fn choices(what: &str, all: &[Choice], md: &mut Md) {
    let mut line = Line::new().text(what).text(": ");
    for (at, choice) in all.iter().enumerate() {
        if at > 0 {
            line = line.text(", ");
        }
        line = if choice.current { line.strong(&choice.label) } else { line.link(&choice.label, &choice.href) };
        if let Some(count) = choice.count {
            line = line.text(format!(" ({count})"));
        }
    }
    md.line(line);
}

fn row(row: &TaskRow, md: &mut Md) {
    let line = Line::new().strong(&row.state.word).text(": ").link(&row.title, &format!("/tasks/{}", row.id));
    md.item(line.also(&row.priority).also(&row.agent).also(&row.note).dot().time(&row.at));
}

impl Twin for TasksPage {
    fn shell(&self) -> &Shell {
        &self.shell
    }

    fn write(&self, md: &mut Md) {
        let Self { shell: _, views: _, statuses, more, part, older, draft: _, open: _ } = self;
        choices("Shown", statuses, md);
        choices("Only", more, md);
        if part.groups.is_empty() {
            md.absent(&part.absent);
        }
        for group in &part.groups {
            md.heading(2, &format!("{} ({})", group.title, group.count));
            for one in &group.rows {
                row(one, md);
            }
            if let Some(more) = &group.more {
                md.line(Line::new().link("All of them", more));
            }
        }
        if let Some(older) = older {
            md.line(Line::new().link("Older tasks", older));
        }
        md.command("timmy task add TITLE");
    }
}

impl Twin for TaskPage {
    fn shell(&self) -> &Shell {
        &self.shell
    }

    fn write(&self, md: &mut Md) {
        let Self { shell: _, part, edits: _, draft: _, open: _ } = self;
        let TaskPart {
            id,
            state,
            why,
            needs,
            buttons,
            step_up: _,
            decide,
            moves: _,
            description,
            result,
            steps,
            artifacts,
            over,
            asked,
            events,
            facts,
            csrf: _,
        } = part;
        md.line(stated(state, why));
        for (state, title, href) in needs {
            md.item(Line::new().strong(&state.word).text(": ").link(title, href));
        }
        verbs(md, buttons, decide);
        for (title, blocks) in [("What is to be done", description), ("What came of it", result)] {
            if !blocks.is_empty() {
                md.heading(2, title);
                md.quote(blocks);
            }
        }
        md.heading(2, "Steps");
        if steps.is_empty() {
            md.words(if *over { "No step of it was worked on here." } else { "Not begun yet." });
        }
        for step in steps {
            md.item(
                stated(&step.state, &step.text).also(&step.output).also(&step.evidence.join("; ")).dot().time(&step.at),
            );
        }
        if !artifacts.is_empty() {
            md.heading(2, "What it produced");
        }
        for one in artifacts {
            let line = Line::new().link(&one.name, &format!("/tasks/{id}/artifacts/{}/file", one.n));
            md.item(line.also(&one.sub).also(&one.rated.word).also(&one.note).dot().time(&one.at));
            md.quote(&one.blocks());
            if one.cut {
                md.words("Only its beginning is shown here. The file has all of it.");
            }
        }
        md.heading(2, "About it");
        md.facts(facts);
        if !asked.is_empty() {
            md.heading(2, "Questions to you");
        }
        for one in asked {
            md.item(Line::new().strong(&one.state.word).text(": ").link(&one.title, "/approvals").dot().time(&one.at));
        }
        if !events.is_empty() {
            md.heading(2, "In the log");
        }
        for row in events {
            let line = Line::new().strong(&row.state.word).text(": ");
            md.item(line.link(&row.sentence, &format!("/swarm/events/{}", row.seq)).dot().time(&row.at));
        }
    }
}

/// What can be done with a task. Of one that asks about an exact plan only that plan's card takes a yes.
fn verbs(md: &mut Md, buttons: &[Button], decide: &str) {
    if !buttons.is_empty() {
        let fits = |verb: &&str| decide.is_empty() || *verb != "approve";
        let verbs: Vec<&str> = buttons.iter().map(|button| button.verb).filter(fits).collect();
        md.words(&format!("What can be done: {}.", verbs.join(", ")));
    }
    if !decide.is_empty() {
        md.line(Line::new().text("It asks about one exact plan: ").link("read and decide", decide));
    }
}

impl Twin for AgentsPage {
    fn shell(&self) -> &Shell {
        &self.shell
    }

    fn write(&self, md: &mut Md) {
        let Self { shell: _, agents } = self;
        md.words("Tasks are given to an agent by name. These are the names there are.");
        for agent in agents {
            let line = Line::new().strong(&agent.name).text(": ").text(&agent.state.word).text(". ").text(agent.does);
            md.item(line.text(" ").text(&agent.counts).text("."));
        }
    }
}

fn card(card: &Card, md: &mut Md) {
    md.heading(2, &card.title);
    md.line(stated(&card.state, &card.risk.word).text(format!(", {} of 100.", card.score)).dot().time(&card.at));
    md.words(&card.what);
    if !card.command.is_empty() {
        md.line(Line::new().code(&card.command));
    }
    md.words(&card.why);
    for factor in &card.factors {
        md.item(Line::new().text(format!("{} points: {}", factor.points, factor.words)));
    }
    for words in &card.mitigations {
        md.item(Line::new().text("milder: ").text(words));
    }
    if !card.floor.is_empty() {
        md.item(Line::new().text("no rule may answer this: ").text(&card.floor));
    }
    md.facts(&card.facts);
    if !card.cooling.is_empty() {
        md.words(&format!("Very risky, so a yes counts from {} on.", card.cooling));
    }
    if card.waits {
        md.command(&format!("timmy approvals approve {}", card.id));
    }
    if !card.plan.is_empty() {
        md.exact("json", &card.plan);
    }
}

impl Twin for ApprovalsPage {
    fn shell(&self) -> &Shell {
        &self.shell
    }

    fn write(&self, md: &mut Md) {
        let Self { shell: _, filters, part, older, rules, suggestions } = self;
        choices("Shown", filters, md);
        if part.cards.is_empty() {
            md.absent(&part.absent);
        }
        for one in &part.cards {
            card(one, md);
        }
        if let Some(older) = older {
            md.line(Line::new().link("Older questions", older));
        }
        md.heading(2, "Your rules");
        if rules.is_empty() {
            md.words("None. Every risky act is asked for.");
        }
        for rule in rules {
            md.item(Line::new().strong(&rule.title).text(": ").text(&rule.sub));
        }
        for one in suggestions {
            md.item(Line::new().text("Suggested: ").strong(&one.title).text(format!(", {} times yes", one.approvals)));
        }
    }
}
