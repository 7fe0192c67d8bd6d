//! Of which thoughts the owner wanted fewer.

use std::collections::BTreeMap;

use timmy_domain::SeedType;
use timmy_domain::thought::Thought;

use crate::{Reader, StoreError};

impl Reader<'_> {
    /// How many thoughts of each seed the owner wanted fewer of. Seeds without any are left out.
    ///
    /// # Errors
    /// What the disk said.
    pub fn fewer_counts(&self) -> Result<BTreeMap<SeedType, u64>, StoreError> {
        let mut statement = self
            .conn()
            .prepare_cached("SELECT seed_type, count(*) FROM thoughts WHERE fewer = 1 GROUP BY seed_type")?;
        let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
        let mut counts = BTreeMap::new();
        for row in rows {
            let (seed, count) = row?;
            // A seed of a newer version has no weight here.
            if let Ok(seed) = seed.parse::<SeedType>() {
                counts.insert(seed, u64::try_from(count).unwrap_or(0));
            }
        }
        Ok(counts)
    }

    /// The newest thoughts the owner wanted fewer of, at most `limit`.
    ///
    /// # Errors
    /// What the disk said.
    pub fn fewer_thoughts(&self, limit: usize) -> Result<Vec<Thought>, StoreError> {
        self.thoughts_where("WHERE fewer = 1 ORDER BY seq DESC LIMIT ?1", vec![(limit as i64).into()])
    }
}
