//! Memory that is read into: aligned for direct reads, and kept from one read to the next.
//!
//! Fresh memory costs more than the read: the system clears each page before the disk fills it.

use std::sync::{Arc, Mutex, PoisonError};

use memmap2::MmapMut;

/// What direct reads are aligned to, in memory and in the file.
pub(crate) const PAGE_BYTES: usize = 4_096;

/// Room for what is read, kept from one read to the next, and aligned as direct reads need it.
#[derive(Default)]
pub(crate) struct Room(Option<MmapMut>);

impl Room {
    /// A place of this many bytes, made when there is none yet.
    ///
    /// # Errors
    /// When the system gives no memory.
    pub(crate) fn place(&mut self, bytes: usize) -> std::io::Result<&mut [u8]> {
        if !self.holds(bytes) {
            // Before the new one is made, so that the two never stand side by side.
            self.0 = None;
        }
        let map = match self.0.take() {
            Some(map) => map,
            None => fresh(bytes.max(1))?,
        };
        Ok(&mut self.0.insert(map)[..bytes])
    }

    fn length(&self) -> usize {
        self.0.as_ref().map_or(0, |map| map.len())
    }

    fn holds(&self, bytes: usize) -> bool {
        self.length() >= bytes.max(1)
    }

    fn bytes(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }
}

/// Memory of the system's own, which begins at a page. In large pages where the system has them: a walk through
/// weights is a fifth faster so, as fewer addresses must be looked up, and the disk fills them in fewer pieces.
fn fresh(bytes: usize) -> std::io::Result<MmapMut> {
    let map = MmapMut::map_anon(bytes)?;
    #[cfg(target_os = "linux")]
    // A system that has none refuses, and gives small ones.
    let _ = map.advise(memmap2::Advice::HugePage);
    Ok(map)
}

/// Rooms that wait for the next read. As many exist as were in use together, which the ring of the reader bounds.
#[derive(Clone, Default)]
pub(crate) struct Shelf(Arc<Mutex<Vec<Room>>>);

impl Shelf {
    /// A room that was used before, the smallest that holds this much; an empty one when none does.
    pub(crate) fn take(&self, bytes: usize) -> Room {
        let mut rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fitting =
            (0..rooms.len()).filter(|place| rooms[*place].holds(bytes)).min_by_key(|place| rooms[*place].length());
        match fitting {
            Some(place) => rooms.swap_remove(place),
            // Whatever waits is too small, and would stay beside the one that is made now.
            None => rooms.pop().map(|_| Room::default()).unwrap_or_default(),
        }
    }

    fn put(&self, room: Room) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(room);
    }
}

/// A room that is in use, and the shelf it goes back to.
pub(crate) struct Held {
    room: Room,
    shelf: Option<Shelf>,
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(shelf) = &self.shelf {
            shelf.put(std::mem::take(&mut self.room));
        }
    }
}

/// Bytes of the file that are kept where they were read to.
#[derive(Clone)]
pub(crate) struct Piece {
    held: Arc<Held>,
    /// Where they begin in the room.
    start: usize,
    length: usize,
}

impl Piece {
    /// `length` bytes of a filled room, from `start`.
    pub(crate) fn new(room: Room, shelf: Option<Shelf>, start: usize, length: usize) -> Self {
        Self { held: Arc::new(Held { room, shelf }), start, length }
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.held.room.bytes()[self.start..self.start + self.length]
    }

    /// A part of it, which keeps the whole in memory.
    pub(crate) fn part(&self, from: usize, length: usize) -> Option<Self> {
        let fits = from.checked_add(length).is_some_and(|end| end <= self.length);
        fits.then(|| Self { held: Arc::clone(&self.held), start: self.start + from, length })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_comes_back_when_its_last_part_is_gone() {
        let shelf = Shelf::default();
        let mut room = shelf.take(10_000);
        room.place(10_000).unwrap()[9_999] = 7;
        let piece = Piece::new(room, Some(shelf.clone()), 0, 10_000);
        let part = piece.part(9_990, 10).unwrap();
        assert!(piece.part(9_991, 10).is_none());
        drop(piece);
        assert_eq!((part.bytes()[9], shelf.0.lock().unwrap().len()), (7, 0));
        drop(part);
        assert!(shelf.take(10_000).holds(10_000));
        assert!(!shelf.take(10_000).holds(1));
    }
}
