//! The tools of the house: one line for each, and a file for each kind.

use std::sync::Arc;

use timmy_domain::plan::FileTouch;

use crate::tool::outcome::Touched;
use crate::tool::scope::Identity;
use crate::tool::{Tool, Toolbox};
use fetch::Network;

pub mod calculate;
pub mod clock;
pub mod fetch;
pub mod files;
pub mod git;
pub mod program;
pub mod shell;
pub mod system;

/// All tools of the house. `network` is where pages are fetched from: [`fetch::Internet`] outside tests.
#[must_use]
pub fn all(network: Arc<dyn Network>) -> Toolbox {
    let tools: Vec<Box<dyn Tool>> = vec![
        Box::<files::List>::default(),
        Box::<files::Read>::default(),
        Box::<files::Search>::default(),
        Box::<files::Write>::default(),
        Box::<shell::Shell>::default(),
        Box::new(git::Git::look()),
        Box::new(git::Git::change()),
        Box::new(git::Git::discard()),
        Box::new(fetch::Fetch::new(network)),
        Box::<calculate::Calculate>::default(),
        Box::<clock::Clock>::default(),
        Box::<system::System>::default(),
    ];
    let mut toolbox = Toolbox::default();
    for tool in tools {
        // A name that is taken is found by the test below.
        let _ = toolbox.add(tool);
    }
    toolbox
}

/// A file of a plan that was read, as the receipt names it.
pub(crate) fn touched(file: &FileTouch) -> Touched {
    let identity = Some(Identity { dev: file.dev, inode: file.inode });
    Touched { path: file.path.clone(), identity, before_sha256: file.before_sha256, after_sha256: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_has_a_name_of_its_own_and_a_description_that_fits_its_words() {
        let toolbox = all(Arc::new(fetch::Internet));
        assert_eq!(toolbox.specs().count(), 12, "a name is taken twice");
        for spec in toolbox.specs() {
            let properties = spec.input_schema["properties"].as_object().unwrap();
            assert!(spec.description.ends_with('.') && spec.description.len() <= 200, "{}", spec.name);
            for (name, schema) in properties {
                assert!(schema["description"].is_string(), "{} of {} says nothing", name, spec.name);
                let forbidden = ["sandbox", "unsafe", "force", "sudo", "trust", "net", "policy"];
                assert!(!forbidden.iter().any(|word| name.contains(word)), "{name} of {}", spec.name);
            }
        }
    }
}
