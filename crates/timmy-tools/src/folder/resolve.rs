//! From what the owner typed to the folder that is meant, or a plain word on why not.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use timmy_domain::{Problem, text};

/// Bytes a path may hold, as Linux bounds it.
const PATH_BYTES_MAX: usize = 4_096;

/// Where the system keeps what is no folder of the owner's.
const SYSTEM_FOLDERS: [&str; 4] = ["/proc", "/sys", "/dev", "/run"];

/// The absolute path, free of links, of the folder that `path_text` names. `~` stands for `home`.
///
/// # Errors
/// A [`Problem`] with a hint when it is no readable folder, or one that is not to be watched.
pub fn resolve(path_text: &str, home: Option<&Path>) -> Result<PathBuf, Problem> {
    let typed = path_text.trim();
    let shown = text::cut(&text::one_line(typed), 200);
    let refuse = |code, message: String, hint: &str| Err(Problem::invalid(code, message, hint));
    if typed.is_empty() || typed.len() > PATH_BYTES_MAX || typed.contains('\0') {
        return refuse(
            "not_a_path",
            "That is not a path.".to_owned(),
            "Give the full path of a folder, such as ~/notes.",
        );
    }
    let wanted = match (typed.strip_prefix('~'), home) {
        (Some(""), Some(home)) => home.to_owned(),
        (Some(rest), Some(home)) if rest.starts_with('/') => home.join(rest.trim_start_matches('/')),
        _ => PathBuf::from(typed),
    };
    if !wanted.is_absolute() {
        let message = format!("{shown} is not a full path.");
        return refuse("not_a_full_path", message, "Begin the path with / or with ~/ for your home folder.");
    }
    let found = match fs::canonicalize(&wanted) {
        Ok(found) => found,
        Err(error) => return Err(unreachable(&shown, &error)),
    };
    if !found.is_dir() {
        let message = format!("{shown} is a file, not a folder.");
        return refuse("not_a_folder", message, "Give the folder that holds it.");
    }
    if found == Path::new("/") || SYSTEM_FOLDERS.iter().any(|s| found.starts_with(s)) {
        let message = format!("{shown} belongs to the system and is not watched.");
        return refuse("system_folder", message, "Give a folder with your own work in it.");
    }
    if found.to_str().is_none() {
        let message = format!("The name of {shown} is not valid text.");
        return refuse("not_a_path", message, "Rename the folder so that its name is valid UTF-8.");
    }
    match fs::read_dir(&found) {
        Ok(_) => Ok(found),
        Err(error) => Err(unreachable(&shown, &error)),
    }
}

fn unreachable(shown: &str, error: &io::Error) -> Problem {
    match error.kind() {
        io::ErrorKind::NotFound => Problem::invalid(
            "no_such_folder",
            format!("There is no folder {shown}."),
            "Check the spelling, or make the folder first.",
        ),
        io::ErrorKind::PermissionDenied => Problem::invalid(
            "folder_forbidden",
            format!("Timmy's user may not read {shown}."),
            "Give that user the right to read and enter the folder.",
        ),
        _ => Problem::invalid(
            "folder_unreadable",
            format!("{shown} cannot be read: {}.", text::one_line(&error.to_string())),
            "Check the path and the disk it lies on.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(typed: &str) -> &'static str {
        match resolve(typed, None) {
            Err(problem) => {
                assert!(!problem.hint.is_empty() && !problem.message.contains('\n'), "{problem:?}");
                problem.code
            }
            Ok(path) => panic!("{typed:?} gave {}", path.display()),
        }
    }

    #[test]
    fn what_is_no_folder_of_the_owner_is_refused_with_a_reason() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("a.txt");
        fs::write(&file, "x").unwrap();
        assert_eq!(code(""), "not_a_path");
        assert_eq!(code("a\0b"), "not_a_path");
        assert_eq!(code("notes"), "not_a_full_path");
        assert_eq!(code("~/notes"), "not_a_full_path", "nobody said where home is");
        assert_eq!(code("/nowhere/at all\n"), "no_such_folder");
        assert_eq!(code(file.to_str().unwrap()), "not_a_folder");
        for system in ["/", "/proc", "/proc/self", "/sys", "/dev", "/tmp/.."] {
            assert_eq!(code(system), "system_folder", "{system}");
        }
        let link = home.path().join("link");
        std::os::unix::fs::symlink("/proc", &link).unwrap();
        assert_eq!(code(link.to_str().unwrap()), "system_folder", "a link is followed before it is judged");
    }

    #[test]
    fn home_and_links_are_resolved() {
        let home = tempfile::tempdir().unwrap();
        let real = fs::canonicalize(home.path()).unwrap();
        fs::create_dir(real.join("notes")).unwrap();
        std::os::unix::fs::symlink(real.join("notes"), real.join("link")).unwrap();
        let ok = |typed: &str| resolve(typed, Some(&real)).map_err(|p| p.message);
        assert_eq!(ok("~"), Ok(real.clone()));
        assert_eq!(ok(" ~/notes/ "), Ok(real.join("notes")));
        assert_eq!(ok(real.join("link").to_str().unwrap()), Ok(real.join("notes")));
    }
}
