//! The ring: a thread that reads the stages which do not stay, in order and ahead of the arithmetic, round and round.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use crate::error::EngineError;
use crate::file::{ModelFile, Through};
use crate::plan::RING_SLOTS;
use crate::room::{Room, Shelf};
use crate::shape::Shape;
use crate::stage::Stage;

/// Stages that wait to be used: the ring without the one in use and the one being filled.
const WAITING_STAGES: usize = RING_SLOTS - 2;

/// A reader that is under way.
pub(crate) struct Ring {
    stages: Option<Receiver<(usize, Result<Stage, EngineError>)>>,
    thread: Option<JoinHandle<()>>,
}

impl Ring {
    /// Starts reading `order` from its beginning.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(file: Arc<ModelFile>, shape: Arc<Shape>, order: Vec<usize>) -> Result<Self, EngineError> {
        let (sender, receiver) = sync_channel(WAITING_STAGES);
        let thread = std::thread::Builder::new()
            .name("engine-reader".to_owned())
            .spawn(move || read_round_and_round(&file, &shape, &order, &sender))?;
        Ok(Self { stages: Some(receiver), thread: Some(thread) })
    }

    /// The next stage, which must be the one with this number.
    ///
    /// # Errors
    /// When it could not be read. The ring is of no use then.
    pub(crate) fn next(&self, wanted: usize) -> Result<Stage, EngineError> {
        match self.stages.as_ref().map(Receiver::recv) {
            Some(Ok((number, stage))) if number == wanted => stage,
            _ => Err(EngineError::Compute("the reader of layers has stopped".to_owned())),
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        drop(self.stages.take());
        if let Some(thread) = self.thread.take() {
            // Ends at its next stage, as nobody takes it; a panic in it was told to the one who waited for a stage.
            let _ = thread.join();
        }
    }
}

fn read_round_and_round(
    file: &ModelFile,
    shape: &Shape,
    order: &[usize],
    sender: &SyncSender<(usize, Result<Stage, EngineError>)>,
) {
    let mut room = Room::default();
    let shelf = Shelf::default();
    loop {
        for &number in order {
            let stage = Stage::read(file, shape, number, Through::Past, &mut room, Some(&shelf));
            let failed = stage.is_err();
            if sender.send((number, stage)).is_err() || failed {
                return;
            }
        }
    }
}
