//! The log in Markdown: the list, and one event with its family.

use super::{Line, Md, Twin};
use crate::look::Shell;
use crate::look::event_page::EventPage;
use crate::look::events::{EventRow, EventsPage};

/// One event in one line.
fn row(row: &EventRow) -> Line {
    let href = format!("/swarm/events/{}", row.seq);
    let line = Line::new().link(&row.seq.to_string(), &href).text(" ").text(&row.at.full);
    let line =
        line.dot().text(&row.state.word).dot().code(&row.name).dot().text(&row.actor).text(": ").text(&row.sentence);
    let line = match row.cause {
        Some(cause) => line.text(" (because of ").link(&cause.to_string(), &format!("/swarm/events/{cause}")).text(")"),
        None => line,
    };
    if row.current { line.text(" ").strong("This is the one.") } else { line }
}

impl Twin for EventsPage {
    fn shell(&self) -> &Shell {
        &self.shell
    }

    fn write(&self, md: &mut Md) {
        let Self { shell: _, filter, query: _, live: _, still: _, histogram, rows, absent, summary, older, newer, cli } =
            self;
        if !filter.text.is_empty() {
            md.line(Line::new().text("Filter: ").code(&filter.text).text(" ").link("Clear it", "/swarm/events"));
        }
        if !filter.problem.is_empty() {
            md.line(Line::new().strong("Not understood").text(". ").text(&filter.problem).text(" ").text(&filter.hint));
        }
        if let Some(chart) = histogram {
            md.words(&chart.label);
            for stretch in &chart.stretches {
                if let Some(href) = &stretch.href {
                    md.item(Line::new().link(&stretch.label, href));
                }
            }
        }
        md.heading(2, "Events, newest first");
        md.words(summary);
        if rows.is_empty() {
            md.absent(absent);
        }
        for one in rows {
            md.item(row(&one.row));
        }
        if let Some(newer) = newer {
            md.line(Line::new().link("Newer events", newer));
        }
        if let Some(older) = older {
            md.line(Line::new().link("Older events", older));
        }
        md.command(cli);
    }
}

impl Twin for EventPage {
    fn shell(&self) -> &Shell {
        &self.shell
    }

    fn write(&self, md: &mut Md) {
        let Self { shell: _, row: this, fields, source, hash, raw, chain, effects_left, previous, next, beyond } = self;
        md.line(Line::new().strong(&this.sentence));
        md.item(Line::new().text("Name: ").code(&this.name));
        md.item(Line::new().text("When: ").text(&this.at.full));
        md.item(Line::new().text("Severity: ").text(&this.state.word));
        md.item(Line::new().text("By: ").text(&this.actor).text(", source: ").text(source));
        if let Some(cause) = this.cause {
            md.item(Line::new().text("Cause: ").link(&cause.to_string(), &format!("/swarm/events/{cause}")));
        }
        md.item(Line::new().text("Hash: ").code(hash));
        md.facts(fields);
        md.heading(2, "How it came to this");
        if let Some(beyond) = beyond {
            md.words(&format!("It began with event {beyond}, which is no longer kept."));
        }
        if let Some(beyond) = self.beyond {
            md.words(&format!("It began with event {beyond}, which is no longer kept."));
        }
        for link in chain {
            md.item_at(
                link.depth,
                if link.current { row(&link.row).text(" ").strong("This is the one.") } else { row(&link.row) },
            );
        }
        if *effects_left > 0 {
            md.words(&format!("{effects_left} more came of it."));
        }
        let near = [("Earlier", previous), ("Later", next)];
        for (label, seq) in near.into_iter().filter_map(|(label, seq)| seq.map(|seq| (label, seq))) {
            md.line(Line::new().link(&format!("{label} of the same name"), &format!("/swarm/events/{seq}")));
        }
        let around = format!("/swarm/events?around={}", this.seq);
        md.line(Line::new().link("30 seconds around it", &around));
        md.heading(2, "Raw record");
        md.exact("json", raw);
        md.command(&format!("timmy events show {} --chain", this.seq));
    }
}
