//! The conversation in Markdown.

use super::{Line, Md, Twin};
use crate::look::Shell;
use crate::look::talk::{TalkPage, Turn, TurnKind};

impl Twin for TalkPage {
    fn shell(&self) -> &Shell {
        &self.shell
    }

    fn write(&self, md: &mut Md) {
        let Self { shell: _, days, absent, older, newest, about, draft: _, models } = self;
        if let Some(older) = older {
            md.line(Line::new().link("Older turns", older));
        }
        if days.is_empty() {
            md.absent(absent);
        }
        for day in days {
            md.heading(2, &day.label);
            for one in &day.turns {
                turn(one, md);
            }
        }
        if let Some(newest) = newest {
            md.line(Line::new().link("Back to now", newest));
        }
        if let Some(about) = about {
            let line = Line::new().text("A message sent from this page is about the thought of ").time(&about.at);
            md.line(line.text(": ").link(&about.text, &format!("/thinking/{}", about.id)));
        }
        md.command("timmy chat \"…\"");
        md.heading(2, "Asked in this order");
        super::home::models(models, md);
    }
}

fn turn(turn: &Turn, md: &mut Md) {
    let who = match turn.kind {
        TurnKind::Owner => "You",
        TurnKind::Timmy => "Timmy",
        TurnKind::Stopped => "Timmy, stopped by you",
        TurnKind::Failed => "No answer came",
        TurnKind::Coming => "Timmy is answering",
    };
    md.heading_line(3, Line::new().text(who).text(", ").time(&turn.at));
    if let Some(about) = &turn.about {
        md.line(Line::new().text("About the thought ").link(&about.text, &format!("/thinking/{}", about.id)));
    }
    if matches!(turn.kind, TurnKind::Timmy | TurnKind::Stopped) {
        md.line(Line::new().text(turn.place_words()).also(&turn.maker()).also(&turn.cost()));
    }
    if !turn.blocks.is_empty() {
        md.quote(&turn.blocks);
    }
    if !turn.made.is_empty() {
        md.line(Line::new().link("The task that was made of it", &format!("/tasks/{}", turn.made)));
    }
}
