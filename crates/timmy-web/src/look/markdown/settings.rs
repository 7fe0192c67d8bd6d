//! Settings and the key sheet in Markdown. Secrets are not in the views, so they are not here either.

use super::{Line, Md, Twin};
use crate::look::Shell;
use crate::look::backups::{BackupView, BackupsPart, DrillView};
use crate::look::keys::KeysPage;
use crate::look::settings::{SessionView, SettingView, SettingsPage};

impl Twin for SettingsPage {
    fn shell(&self) -> &Shell {
        &self.shell
    }

    fn write(&self, md: &mut Md) {
        let Self {
            shell,
            keys_on,
            key_fields: _,
            keys_problem: _,
            folders,
            path_typed: _,
            path_problem: _,
            tokens,
            sessions,
            token: _,
            has_password,
            backups: copies,
            every,
        } = self;
        md.heading(2, "This device");
        md.item(Line::new().text("Theme: ").text(shell.theme.name()));
        md.item(Line::new().text("Rows: ").text(shell.density.name()));
        md.item(Line::new().text("Side: ").text(shell.side.name()));
        let keys = if *keys_on { "on" } else { "off" };
        md.item(Line::new().text("Single keys: ").text(keys).dot().link("All keys", "/keys"));
        super::home::folders(folders, md);
        md.command("timmy watch add ~/code/yourproject");
        md.heading(2, "Tokens");
        match tokens.as_deref() {
            None => md.words("Tokens are shown to those who may make them. Yours has a smaller scope."),
            Some([]) => md.words("None yet. A token lets a program in: a phone, a script, another tool."),
            Some(_) => {}
        }
        for token in tokens.iter().flatten() {
            let line =
                Line::new().strong(&token.name).text(", may ").text(&token.scope).text(", made ").time(&token.made);
            md.item(match &token.used {
                Some(used) => line.text(", last used ").time(used),
                None => line.text(", never used"),
            });
        }
        md.heading(2, "Password");
        md.words(if *has_password { "A password is set." } else { "None is set; one-time codes let browsers in." });
        md.heading(2, "Sessions");
        match sessions {
            Some(open) => self::sessions(open, md),
            None => md.words("Sessions are shown to those who may end them. Yours has a smaller scope."),
        }
        md.heading(2, "Backups");
        match copies {
            Some(copies) => backups(copies, md),
            None => md.words("Backups are shown to those who may make them. Yours has a smaller scope."),
        }
        md.heading(2, "Every setting");
        if !every.missing.is_empty() {
            md.words(&every.missing);
            return;
        }
        let line = Line::new().text(every.count).text(" settings, saved to ").code(&every.path);
        md.line(line.text(". A change takes effect at the next start."));
        for fault in &every.faults {
            md.item(Line::new().strong("Fault in the file").text(": ").text(fault));
        }
        for section in &every.sections {
            md.heading_line(3, Line::new().code(&section.name));
            md.words(&section.doc);
            for view in &section.settings {
                setting(view, md);
            }
        }
        md.command("timmy config set thinking.interval_seconds 600");
    }
}

/// The browsers that are logged in.
fn sessions(open: &[SessionView], md: &mut Md) {
    if open.is_empty() {
        md.words("No browser is logged in.");
    }
    for SessionView { id, browser, made, seen, own } in open {
        let line = Line::new().strong(browser).text(", ").code(id).text(", logged in ").time(made);
        let line = line.text(", last seen ").time(seen);
        md.item(if *own { line.text(", this one") } else { line });
    }
    md.command("timmy sessions end ID");
}

/// The backups.
fn backups(part: &BackupsPart, md: &mut Md) {
    let BackupsPart { listed, more, folder, drill, making, nightly } = part;
    md.line(Line::new().text("They lie in ").code(folder).text(". ").text(nightly));
    md.words(making);
    for BackupView { file, made, sub } in listed {
        md.item(Line::new().code(file).text(", ").time(made).also(sub));
    }
    if *more > 0 {
        md.item(Line::new().text(more).text(" more."));
    }
    if let Some(DrillView { state, at, seq }) = drill {
        let line = Line::new().text("Last check: ").text(&state.word).text(", ").time(at).text(", ");
        md.line(line.link(&format!("event {seq}"), &format!("/swarm/events/{seq}")));
    }
}

fn setting(view: &SettingView, md: &mut Md) {
    let s = &view.setting;
    let line = Line::new().code(&s.key).text(" = ").code(&s.next).text(" (").text(view.source());
    let line = if s.next == s.default { line } else { line.text(", default ").code(&s.default) };
    let line = if s.waits() { line.text(", until the next start ").code(&s.running) } else { line };
    let line = line.text("). ").text(&s.doc);
    md.item(if view.bounds().is_empty() { line } else { line.text(" ").text(view.bounds()) });
}

impl Twin for KeysPage {
    fn shell(&self) -> &Shell {
        &self.shell
    }

    fn write(&self, md: &mut Md) {
        let Self { shell: _, groups, on } = self;
        if !on {
            md.words("Single keys are off on this device.");
        }
        for group in groups {
            md.heading(2, group.name);
            for row in &group.rows {
                let keys = row.keys.iter().enumerate().fold(Line::new(), |line, (at, key)| {
                    if at == 0 { line.code(key) } else { line.text(" or ").code(key) }
                });
                md.item(keys.text(": ").text(&row.does));
            }
        }
    }
}
