//! Thoughts and chains in Markdown.

use super::{Line, Md, Twin, stated};
use crate::look::Shell;
use crate::look::prose;
use crate::look::thinking::{ChainPage, ThinkingPage, ThoughtView};

/// One thought: a heading that leads to its chain, who made it, and the words.
pub(super) fn thought(level: usize, view: &ThoughtView, md: &mut Md) {
    let who = if view.by_owner() { "from you" } else { view.seed };
    let link = format!("/thinking/{}", view.id);
    md.heading_line(level, Line::new().link(&format!("{}, {who}", view.at.full), &link));
    let mut line = Line::new();
    if !view.by_owner() {
        line = line.text(view.place.phrase()).also(&view.maker).also(&view.duration);
    }
    if view.kept {
        line = line.also("kept");
    }
    if view.fewer {
        line = line.also("fewer like this");
    }
    let line = line.dot().link(&format!("event {}", view.seq), &format!("/swarm/events/{}", view.seq));
    md.line(if view.seed_note.is_empty() { line } else { line.text(". Seed: ").text(&view.seed_note) });
    md.quote(&view.blocks);
}

impl Twin for ThinkingPage {
    fn shell(&self) -> &Shell {
        &self.shell
    }

    fn write(&self, md: &mut Md) {
        let Self {
            shell: _,
            status,
            filters,
            query: _,
            hours,
            absent,
            older,
            newest,
            weights,
            budget,
            quiet,
            folders,
            typed: _,
        } = self;
        md.line(stated(&status.state, &status.sentence).text(" ").text(&status.because));
        let mut line = Line::new().text("Shown: ");
        for (at, choice) in filters.iter().enumerate() {
            if at > 0 {
                line = line.text(", ");
            }
            line = if choice.current { line.strong(&choice.label) } else { line.link(&choice.label, &choice.href) };
            if let Some(count) = choice.count {
                line = line.text(format!(" ({count})"));
            }
        }
        md.line(line);
        if hours.is_empty() {
            md.absent(absent);
        }
        for hour in hours {
            for view in &hour.thoughts {
                thought(2, view, md);
            }
        }
        if let Some(newest) = newest {
            md.line(Line::new().link("Newest thoughts", newest));
        }
        if let Some(older) = older {
            md.line(Line::new().link("Older thoughts", older));
        }
        if let Some(budget) = budget {
            super::home::budget(budget, md);
        }
        md.heading(2, "Seeds");
        for weight in weights {
            md.item(
                Line::new().text(weight.seed.name()).text(format!(": {} percent of its usual chance", weight.percent)),
            );
        }
        md.heading(2, "Quiet hours");
        md.words(if quiet.is_empty() { "None. Timmy thinks day and night." } else { quiet });
        super::home::folders(folders, md);
    }
}

impl Twin for ChainPage {
    fn shell(&self) -> &Shell {
        &self.shell
    }

    fn write(&self, md: &mut Md) {
        let Self { shell: _, thoughts, cut, next } = self;
        let more = if *cut { " Older ones are left out." } else { "" };
        md.words(&format!("Each thought follows the one above it. The oldest stands first.{more}"));
        for view in thoughts {
            thought(2, view, md);
        }
        if !next.is_empty() {
            md.heading(2, "What followed");
        }
        for view in next {
            let words = prose::line(&view.blocks);
            md.item(Line::new().time(&view.at).text(" ").link(&words, &format!("/thinking/{}", view.id)));
        }
    }
}
