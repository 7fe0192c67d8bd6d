//! The folders the owner lets tools work in, as they are on the disk now, and what is wrong with them.

use std::path::PathBuf;
use std::sync::Arc;

use timmy_domain::Problem;
use timmy_tools::tool::scope::Grants;
use timmy_tools::tool::settings::ToolsSettings;

use crate::ctx::Ctx;

/// Looks at the granted folders. Cheap to clone.
#[derive(Clone)]
pub struct Granted {
    settings: Arc<ToolsSettings>,
    user_home: Option<PathBuf>,
    home: PathBuf,
}

impl Granted {
    /// Those of the settings of `ctx`. `user_home` is what `~` stands for.
    #[must_use]
    pub fn new(ctx: &Ctx, user_home: Option<PathBuf>) -> Self {
        let home = ctx.mind_dir.parent().map(PathBuf::from).unwrap_or_default();
        Self { settings: Arc::new(ctx.settings.tools.clone()), user_home, home }
    }

    /// The folders, and what is wrong with each that is not as it should be.
    pub async fn look(&self) -> (Grants, Vec<Problem>) {
        let Self { settings, user_home, home } = self.clone();
        let looked = tokio::task::spawn_blocking(move || settings.grants(user_home.as_deref(), &[&home]));
        looked.await.unwrap_or_default()
    }
}
