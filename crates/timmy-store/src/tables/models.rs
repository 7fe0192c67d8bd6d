//! The models the owner registered, and which agent works with which.

use rusqlite::{OptionalExtension, Row, params};
use timmy_domain::model::{Assignment, MODELS_MAX, Model, ModelFormat, ModelRole};
use timmy_domain::{Actor, NewEvent, event};

use crate::row::{readable, text, time};
use crate::{Reader, StoreError, Tx};

/// Agents that can have a model of their own.
const ASSIGNMENTS_MAX: usize = 200;

/// `None` when the row is not understood, such as one of a newer version.
fn model(row: &Row<'_>) -> rusqlite::Result<Option<Model>> {
    let (Some(format), Some(role)) = (ModelFormat::parse(&text(row, 1)?), ModelRole::parse(&text(row, 3)?)) else {
        return Ok(None);
    };
    let count = |at: usize| row.get::<_, i64>(at).map(|n| u64::try_from(n).unwrap_or(0));
    Ok(Some(Model {
        name: text(row, 0)?,
        format,
        path: text(row, 2)?,
        role,
        context_window: count(4)?,
        description: text(row, 5)?,
        registered_at: time(row, 6)?,
        active: row.get(7)?,
        default_temperature: row.get(8)?,
        max_tokens: count(9)?,
        bytes: count(10)?,
        sha256: text(row, 11)?,
    }))
}

const MODEL: &str = "SELECT name, format, path, role, context_window, description, registered_at, active,
    default_temperature, max_tokens, bytes, sha256 FROM custom_models";

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl Reader<'_> {
    /// Every registered model, also the inactive ones, by name; only those of `role` where one is given.
    ///
    /// # Errors
    /// What the disk said.
    pub fn models(&self, role: Option<ModelRole>) -> Result<Vec<Model>, StoreError> {
        let mut statement =
            self.conn().prepare_cached(&format!("{MODEL} WHERE ?1 = '' OR role = ?1 ORDER BY name LIMIT ?2"))?;
        let rows = statement.query_map(params![role.map_or("", ModelRole::name), MODELS_MAX as i64], model)?;
        Ok(readable(rows, "custom_models")?)
    }

    /// The registered model of that name.
    ///
    /// # Errors
    /// What the disk said.
    pub fn model(&self, name: &str) -> Result<Option<Model>, StoreError> {
        let mut statement = self.conn().prepare_cached(&format!("{MODEL} WHERE name = ?1"))?;
        Ok(statement.query_row([name], model).optional()?.flatten())
    }

    /// Which agent works with which model, by agent.
    ///
    /// # Errors
    /// What the disk said.
    pub fn model_assignments(&self) -> Result<Vec<Assignment>, StoreError> {
        let mut statement = self.conn().prepare_cached(
            "SELECT agent_id, model_name, assigned_at FROM agent_model_assignments ORDER BY agent_id LIMIT ?1",
        )?;
        let rows = statement.query_map([ASSIGNMENTS_MAX as i64], |row| {
            Ok(Some(Assignment { agent_id: text(row, 0)?, model_name: text(row, 1)?, assigned_at: time(row, 2)? }))
        })?;
        Ok(readable(rows, "agent_model_assignments")?)
    }

    /// The model `agent` works with, when it has one of its own that may be asked.
    ///
    /// # Errors
    /// What the disk said.
    pub fn model_of(&self, agent: &str) -> Result<Option<Model>, StoreError> {
        let mut statement = self.conn().prepare_cached(&format!(
            "{MODEL} JOIN agent_model_assignments ON model_name = name WHERE agent_id = ?1 AND active = 1"
        ))?;
        Ok(statement.query_row([agent], model).optional()?.flatten())
    }
}

impl Tx<'_> {
    /// Registers `new`, or takes its place when one of that name is there, and tells `how` it came.
    ///
    /// # Errors
    /// [`StoreError::Full`] when there are too many.
    pub fn model_register(&mut self, new: &Model, how: &str, actor: &Actor) -> Result<(), StoreError> {
        let known: i64 =
            self.conn()
                .query_row("SELECT count(*) FROM custom_models WHERE name <> ?1", [&new.name], |row| row.get(0))?;
        if usize::try_from(known).unwrap_or(usize::MAX) >= MODELS_MAX {
            return Err(StoreError::Full { what: "models", max: MODELS_MAX });
        }
        self.conn()
            .prepare_cached(
                "INSERT INTO custom_models (name, format, path, role, context_window, description, registered_at,
                     active, default_temperature, max_tokens, bytes, sha256)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
                 ON CONFLICT (name) DO UPDATE SET format = excluded.format, path = excluded.path,
                     role = excluded.role, context_window = excluded.context_window,
                     description = excluded.description, registered_at = excluded.registered_at,
                     active = excluded.active, default_temperature = excluded.default_temperature,
                     max_tokens = excluded.max_tokens, bytes = excluded.bytes, sha256 = excluded.sha256",
            )?
            .execute(params![
                new.name,
                new.format.name(),
                new.path,
                new.role.name(),
                whole(new.context_window),
                new.description,
                new.registered_at.micros(),
                new.active,
                new.default_temperature,
                whole(new.max_tokens),
                whole(new.bytes),
                new.sha256,
            ])?;
        let (name, path) = (new.name.clone(), new.path.clone());
        let told = event::ModelRegistered { name, format: new.format.name().to_owned(), path, how: how.to_owned() };
        self.append(NewEvent::new("models", told).by(actor.clone())).map(|_| ())
    }

    /// Takes the model `name` out of the register, and its assignments with it.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] when there is none.
    pub fn model_remove(&mut self, name: &str, file_aside: bool, actor: &Actor) -> Result<(), StoreError> {
        self.conn().execute("DELETE FROM agent_model_assignments WHERE model_name = ?1", [name])?;
        if self.conn().execute("DELETE FROM custom_models WHERE name = ?1", [name])? == 0 {
            return Err(unknown(name));
        }
        let told = event::ModelRemoved { name: name.to_owned(), file_aside };
        self.append(NewEvent::new("models", told).by(actor.clone())).map(|_| ())
    }

    /// Switches the model `name` on or off. What is so already stays untold.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] when there is none.
    pub fn model_switch(&mut self, name: &str, active: bool, actor: &Actor) -> Result<Model, StoreError> {
        let Some(mut model) = self.model(name)? else { return Err(unknown(name)) };
        if model.active != active {
            self.conn().execute("UPDATE custom_models SET active = ?2 WHERE name = ?1", params![name, active])?;
            let told = event::ModelSwitched { name: name.to_owned(), active };
            self.append(NewEvent::new("models", told).by(actor.clone()))?;
            model.active = active;
        }
        Ok(model)
    }

    /// Gives `agent` the model `name`.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] when there is no such model; [`StoreError::Full`] when too many agents have one.
    pub fn model_assign(&mut self, agent: &str, name: &str, actor: &Actor) -> Result<Assignment, StoreError> {
        if self.model(name)?.is_none() {
            return Err(unknown(name));
        }
        let all = self.model_assignments()?;
        if all.len() >= ASSIGNMENTS_MAX && all.iter().all(|a| a.agent_id != agent) {
            return Err(StoreError::Full { what: "assignments", max: ASSIGNMENTS_MAX });
        }
        let now = self.now();
        self.conn().execute(
            "INSERT INTO agent_model_assignments (agent_id, model_name, assigned_at) VALUES (?1, ?2, ?3)
             ON CONFLICT (agent_id) DO UPDATE SET model_name = excluded.model_name, assigned_at = excluded.assigned_at",
            params![agent, name, now.micros()],
        )?;
        let told = event::ModelAssigned { agent: agent.to_owned(), model: name.to_owned() };
        self.append(NewEvent::new("models", told).by(actor.clone()))?;
        Ok(Assignment { agent_id: agent.to_owned(), model_name: name.to_owned(), assigned_at: now })
    }

    /// Takes from `agent` the model of its own.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] when it has none.
    pub fn model_unassign(&mut self, agent: &str, actor: &Actor) -> Result<(), StoreError> {
        if self.conn().execute("DELETE FROM agent_model_assignments WHERE agent_id = ?1", [agent])? == 0 {
            return Err(StoreError::Unknown { what: format!("model of the agent {agent}") });
        }
        let told = event::ModelAssigned { agent: agent.to_owned(), model: String::new() };
        self.append(NewEvent::new("models", told).by(actor.clone())).map(|_| ())
    }
}

fn unknown(name: &str) -> StoreError {
    StoreError::Unknown { what: format!("model {name}") }
}
