//! Health in Markdown.

use super::{Line, Md, Twin, stated};
use crate::look::health::{HealthPage, LeaveRow, PartRow, ResourceRow, RoutineRow};
use crate::look::{Shell, When};

impl Twin for HealthPage {
    fn shell(&self) -> &Shell {
        &self.shell
    }

    fn write(&self, md: &mut Md) {
        let part = &self.part;
        let verdict = &part.verdict;
        md.line(stated(&verdict.state, &verdict.sentence).text(" ").text(&verdict.detail));
        md.line(Line::new().text("Checked ").time(&verdict.checked).text("."));
        md.heading(2, "Resources");
        md.table(&["Resource", "State", "In use", "Waits", "Faults"], part.resources.iter().map(resource));
        md.heading(2, "Parts");
        let heads = ["Part", "State", "Kind", "Note", "Took", "Last", "Next", "Restarts"];
        md.table(&heads, part.parts.iter().map(row));
        md.heading(2, "Done regularly");
        md.table(&["What", "State", "Result", "When"], part.routines.iter().map(routine));
        md.heading(2, "What may leave this machine");
        md.table(&["What", "State", "Where to, and what of it"], part.leaves.iter().map(leave));
        md.heading(2, "Store");
        md.facts(&part.store);
        md.heading(2, "Models");
        super::home::models(&part.models, md);
        md.heading(2, "House");
        md.facts(&self.house);
        md.command("timmy status");
    }
}

fn row(row: &PartRow) -> Vec<Line> {
    let restarts = row.restarts.map(|n| n.to_string()).unwrap_or_default();
    let time = |when: &Option<When>| when.as_ref().map_or_else(Line::new, |when| Line::new().time(when));
    let note = match &row.cause {
        Some(cause) => Line::new().text(&row.note).text(" ").link("Last fault", cause),
        None => Line::new().text(&row.note),
    };
    vec![
        Line::new().text(&row.name),
        Line::new().text(&row.state.word),
        Line::new().text(row.kind.name()),
        note,
        Line::new().text(&row.took),
        time(&row.last),
        time(&row.next),
        Line::new().text(restarts),
    ]
}

fn resource(row: &ResourceRow) -> Vec<Line> {
    [&row.name, &row.state.word, &row.used, &row.waits, &row.faults].map(|words| Line::new().text(words)).into()
}

fn routine(row: &RoutineRow) -> Vec<Line> {
    let text = match &row.href {
        Some(href) => Line::new().link(&row.text, href),
        None => Line::new().text(&row.text),
    };
    let when = row.when.as_ref().map_or_else(Line::new, |when| Line::new().time(when));
    vec![Line::new().text(&row.name), Line::new().text(&row.state.word), text, when]
}

fn leave(row: &LeaveRow) -> Vec<Line> {
    [&row.name, &row.state.word, &row.text].map(|words| Line::new().text(words)).into()
}
