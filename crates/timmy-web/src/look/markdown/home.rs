//! Home in Markdown.

use super::{Line, Md, Twin, stated};
use crate::look::Shell;
use crate::look::folders::FolderView;
use crate::look::home::{HomePage, NowPart, RailPart, Undoing};
use crate::look::mind::{Budget, ModelRow};

impl Twin for HomePage {
    fn shell(&self) -> &Shell {
        &self.shell
    }

    fn write(&self, md: &mut Md) {
        // Named one by one, here and in the other twins, so that what is added to a page is not forgotten.
        let Self { shell, part, rail: aside, folders: watched, path_typed: _, path_problem: _, no_model } = self;
        md.words(&shell.now.pulse.label);
        if let Some(missing) = no_model {
            md.heading(2, "No model answers yet");
            md.line(Line::new().text(&missing.text).text(" ").text(&missing.step));
            md.command(&missing.command);
        }
        now(part, md);
        if watched.is_empty() {
            md.heading(2, "Watched folders");
            md.words("None yet. Timmy reads the folders you name, never writes there, and keeps what he sees here.");
            md.command("timmy watch add ~/code/yourproject");
        } else {
            folders(watched, md);
        }
        rail(aside, md);
    }
}

fn now(part: &NowPart, md: &mut Md) {
    let NowPart { waiting, ruled, lit: _, doing, thoughts, no_thought, seen, watches, csrf: _ } = part;
    md.heading(2, "Waiting for you");
    if waiting.is_empty() {
        md.words("Nothing needs you.");
    }
    for row in waiting {
        md.item(Line::new().strong(&row.state.word).text(": ").link(&row.title, &row.href).text(". ").text(&row.sub));
    }
    if !ruled.is_empty() {
        md.heading(2, "Done by your rules in the last day");
    }
    for row in ruled {
        let line = Line::new().link(&row.title, &row.href).text(". ").text(&row.sub);
        md.item(match &row.undo {
            Some(Undoing::Asked(state, href)) => line.text(" ").link("Undoing it", href).text(": ").text(&state.word),
            Some(Undoing::Offered(_)) | None => line,
        });
    }
    md.heading(2, "Latest thoughts");
    if thoughts.is_empty() {
        md.absent(no_thought);
    }
    for thought in thoughts {
        super::mind::thought(3, thought, md);
    }
    if let Some(since) = &doing.since {
        md.heading(2, "Doing now");
        md.line(stated(&doing.state, &doing.title).also(&doing.sub).text(", since ").time(since));
    }
    if *watches {
        md.heading(2, "Seen in your folders");
        if seen.is_empty() {
            md.words("Nothing has changed since Timmy first looked.");
        }
        for one in seen {
            md.item(Line::new().time(&one.at).text(" ").strong(&one.folder).text(": ").text(&one.summary));
        }
    }
}

fn rail(rail: &RailPart, md: &mut Md) {
    let RailPart { models: rows, budget: spent, next, next_why, off: _, paused: _, csrf: _ } = rail;
    md.heading(2, "Next thought");
    md.line(Line::new().text(next).text(", ").text(next_why));
    md.heading(2, "Models");
    models(rows, md);
    if let Some(spent) = spent {
        budget(spent, md);
    }
}

/// The providers of models.
pub(super) fn models(rows: &[ModelRow], md: &mut Md) {
    for row in rows {
        md.item(Line::new().strong(&row.name).text(": ").text(&row.state.word).also(&row.sub()));
    }
}

/// The day's budget.
pub(super) fn budget(spent: &Budget, md: &mut Md) {
    md.heading(2, "Thinking today");
    md.gauge(&spent.calls);
    md.gauge(&spent.tokens);
}

/// The watched folders.
pub(super) fn folders(rows: &[FolderView], md: &mut Md) {
    md.heading(2, "Watched folders");
    for folder in rows {
        let line = Line::new().strong(&folder.name).text(" ").code(&folder.path).also(&folder.state.word);
        let line = match &folder.looked {
            Some(looked) => line.text(", looked at ").time(looked),
            None => line,
        };
        md.item(line.also(&folder.error));
    }
}
