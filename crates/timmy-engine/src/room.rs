//! Memory that is read into: aligned for direct reads, and kept from one read to the next.
//!
//! Fresh memory costs more than the read: the system clears each page before the disk fills it.

use std::sync::{Arc, Mutex, PoisonError};

/// What direct reads are aligned to, in memory and in the file.
pub(crate) const PAGE_BYTES: usize = 4_096;

/// Room for what is read, kept from one read to the next, and aligned as direct reads need it.
#[derive(Default)]
pub(crate) struct Room(Vec<u8>);

impl Room {
    /// A place of this many bytes, made when there is none yet.
    pub(crate) fn place(&mut self, bytes: usize) -> &mut [u8] {
        if !self.holds(bytes) {
            self.0 = Vec::new();
            self.0 = vec![0; bytes + PAGE_BYTES];
        }
        let start = self.start();
        &mut self.0[start..start + bytes]
    }

    fn holds(&self, bytes: usize) -> bool {
        self.0.len() >= bytes + PAGE_BYTES
    }

    /// Where places begin.
    fn start(&self) -> usize {
        self.0.as_ptr().align_offset(PAGE_BYTES).min(PAGE_BYTES)
    }
}

/// Rooms that wait for the next read. As many exist as were in use together, which the ring of the reader bounds.
#[derive(Clone, Default)]
pub(crate) struct Shelf(Arc<Mutex<Vec<Room>>>);

impl Shelf {
    /// A room that was used before, the smallest that holds this much; an empty one when none does.
    pub(crate) fn take(&self, bytes: usize) -> Room {
        let mut rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fitting =
            (0..rooms.len()).filter(|place| rooms[*place].holds(bytes)).min_by_key(|place| rooms[*place].0.len());
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
    /// Where they begin behind the start of the room's place.
    start: usize,
    length: usize,
}

impl Piece {
    /// `length` bytes of a filled room, `skew` bytes behind the start of its place.
    pub(crate) fn new(room: Room, shelf: Option<Shelf>, skew: usize, length: usize) -> Self {
        let start = room.start() + skew;
        Self { held: Arc::new(Held { room, shelf }), start, length }
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.held.room.0[self.start..self.start + self.length]
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
        room.place(10_000)[9_999] = 7;
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
