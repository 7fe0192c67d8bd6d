//! The models on this machine in Markdown.

use super::{Line, Md, Twin};
use crate::look::Shell;
use crate::look::library::{ModelHere, ModelsPage, ModelsPart};

impl Twin for ModelsPage {
    fn shell(&self) -> &Shell {
        &self.shell
    }

    fn write(&self, md: &mut Md) {
        let Self { shell: _, part, from: _ } = self;
        let ModelsPart { here, coming, to_get, machine, speed, measuring: _, csrf: _ } = part;
        md.words(machine);
        md.words(speed);
        let mut list = |title: &str, rows: Vec<(&str, &str, &str)>| {
            if rows.is_empty() {
                return;
            }
            md.heading(2, title);
            for (name, state, about) in rows {
                md.item(Line::new().strong(name).text(": ").text(state).text(". ").text(about));
            }
        };
        list("What comes", coming.iter().map(|p| (p.name.as_str(), p.state.word.as_ref(), p.about.as_str())).collect());
        let about = |m: &ModelHere| match m.running.as_str() {
            "" => m.about.clone(),
            running => format!("{}. {running}", m.about),
        };
        let told: Vec<String> = here.iter().map(about).collect();
        let told = here.iter().zip(&told);
        list("Here", told.map(|(m, told)| (m.name.as_str(), m.state.word.as_ref(), told.as_str())).collect());
        list("To get", to_get.iter().map(|o| (o.name.as_str(), o.state.word.as_ref(), o.about.as_str())).collect());
    }
}
