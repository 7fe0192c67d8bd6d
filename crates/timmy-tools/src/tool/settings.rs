//! What the owner lets tools do: which folders they may work in, and whether anything may leave this machine.

use std::path::Path;

use timmy_domain::{Problem, settings};

use super::scope::{GRANTS_MAX, Grant, Grants};
use crate::folder::resolve;

settings! {
    /// The tools Timmy works with, and where. No folder is granted and nothing leaves this machine unless you say so.
    pub struct ToolsSettings in "tools" {
        /// Folders whose files tools may read, as full paths such as "~/notes".
        folders: Vec<String> = Vec::new(), Free;
        /// Folders whose files tools may read and change, as full paths. Programs that are run may write there too.
        folders_write: Vec<String> = Vec::new(), Free;
        /// Whether public pages of the web may be fetched. What is asked for leaves this machine.
        fetch: bool = false, Free;
    }
}

impl ToolsSettings {
    /// The granted folders as they are on the disk now, and what is wrong with those that cannot be granted: they are
    /// left out. `user_home` is what `~` stands for; the `closed` folders are never touched.
    ///
    /// Looks at the disk; call it where waiting is allowed.
    #[must_use]
    pub fn grants(&self, user_home: Option<&Path>, closed: &[&Path]) -> (Grants, Vec<Problem>) {
        let (mut granted, mut problems): (Vec<Grant>, Vec<Problem>) = (Vec::new(), Vec::new());
        let writable = self.folders_write.iter().map(|path| (path, true));
        for (path, write) in writable.chain(self.folders.iter().map(|path| (path, false))) {
            if granted.len() >= GRANTS_MAX {
                let message = format!("More than {GRANTS_MAX} folders are granted to tools.");
                let hint = "Grant the folder that holds them instead; the first ones count.";
                problems.push(Problem::invalid("too_many_grants", message, hint));
                break;
            }
            let grant =
                resolve(path, user_home).and_then(|path| Grant::new(&path, write).map_err(|error| error.problem()));
            match grant {
                // A folder in both lists may be changed.
                Ok(grant) if granted.iter().any(|known| known.path() == grant.path()) => {}
                Ok(grant) => granted.push(grant),
                Err(problem) => problems.push(problem),
            }
        }
        (Grants::new(granted, closed), problems)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::folder;

    // shows: hands: No folder is granted and no page is fetched unless the owner says so in the settings
    #[test]
    fn folders_are_granted_by_the_owner_alone() {
        let none = ToolsSettings::default();
        assert!(!none.fetch && none.grants(None, &[]).0.folders().is_empty());
        let (_outer, notes) = folder("notes");
        let home = notes.parent().unwrap();
        std::fs::create_dir(home.join("work")).unwrap();
        let work = home.join("work").display().to_string();
        let settings = ToolsSettings {
            folders: vec!["~/notes".to_owned(), work.clone(), "/proc".to_owned(), "nowhere".to_owned(), "/".to_owned()],
            folders_write: vec![work],
            fetch: false,
        };
        let (grants, problems) = settings.grants(Some(home), &[]);
        let granted: Vec<(&Path, bool)> = grants.folders().iter().map(|g| (g.path(), g.may_write())).collect();
        assert_eq!(granted, [(home.join("work").as_path(), true), (notes.as_path(), false)]);
        assert_eq!(problems.len(), 3, "{problems:?}");
    }
}
