//! Signing: who may say where the log ends, and which rows left it.
//!
//! The hash chain shows that rows fit each other. It does not show that nobody cut the end off or
//! computed everything anew, for a hash needs no secret. So each commit signs the end of the log with
//! a key of this home (Ed25519, RFC 8032), and retention signs what it removed. It costs
//! little beside the sync of a commit.
//!
//! The private key lies beside the database in `timmy.db.key`, readable by its owner alone, and is in
//! no backup; the public keys are in the database and go with it, so that a copy can be checked
//! anywhere. Where the key file is missing (a restore on another machine) a new key takes over, and
//! says so: the list of keys is part of what is signed, and the report of a check names them. Where
//! the key file and the database disagree, the database is not opened.
//!
//! What this cannot show: that somebody put a whole older copy in place.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use rusqlite::{Connection, params};
use sha2::{Digest, Sha256};
use timmy_domain::{Seq, Timestamp};

use crate::chain::{Hash, Head};
use crate::{Random, Reader, StoreError, create, log, migrate};

/// What a signature of the end begins with, so that it can stand for nothing else.
const END_WORDS: &[u8] = b"timmy: where the log ends, 1\0";

/// Bytes of the secret a key pair is made of.
const SEED_BYTES: usize = 32;

/// Bytes of a key's hash that name it.
const ID_BYTES: usize = 8;

/// A public key.
pub(crate) type Public = [u8; 32];

/// How people tell keys apart: the first 16 hexadecimal digits of the key's SHA-256.
pub(crate) fn id(public: &Public) -> String {
    Sha256::digest(public).iter().take(ID_BYTES).map(|byte| format!("{byte:02x}")).collect()
}

/// One public key this log was signed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub number: i64,
    pub public: Public,
    pub since: i64,
    pub made_at: i64,
}

/// The public keys of a log, oldest first.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    pub all: Vec<Key>,
    digest: Hash,
}

impl Keys {
    fn new(all: Vec<Key>) -> Self {
        let mut hasher = Sha256::new();
        for key in &all {
            hasher.update(key.number.to_be_bytes());
            hasher.update(key.public);
            hasher.update(key.since.to_be_bytes());
            hasher.update(key.made_at.to_be_bytes());
        }
        Self { digest: hasher.finalize().into(), all }
    }

    /// The keys in the database; `None` when its schema knows none.
    pub(crate) fn load(conn: &Connection) -> Result<Option<Self>, StoreError> {
        if !migrate::is_signed(migrate::version(conn)?) {
            return Ok(None);
        }
        let mut statement =
            conn.prepare_cached("SELECT number, public, since, made_at FROM event_keys ORDER BY number")?;
        let rows = statement.query_map([], |row| {
            Ok(Key { number: row.get(0)?, public: row.get(1)?, since: row.get(2)?, made_at: row.get(3)? })
        })?;
        Ok(Some(Self::new(rows.collect::<rusqlite::Result<_>>()?)))
    }

    /// The key that signs now.
    pub(crate) fn current(&self) -> Option<&Key> {
        self.all.last()
    }

    /// Whether `signature` of `message` was made by the key `number`.
    pub(crate) fn vouch(&self, number: i64, message: &[u8], signature: &[u8]) -> bool {
        let key = self.all.iter().find(|key| key.number == number);
        key.is_some_and(|key| UnparsedPublicKey::new(&ED25519, key.public).verify(message, signature).is_ok())
    }

    fn end_message(&self, head: &Head) -> Vec<u8> {
        let mut out = END_WORDS.to_vec();
        out.extend_from_slice(&self.digest);
        out.extend_from_slice(&head.seq.to_be_bytes());
        out.extend_from_slice(&head.hash);
        out.extend_from_slice(&head.at.micros().to_be_bytes());
        out
    }

    /// What is wrong with the signature of the end, in words; nothing when all is well. The database
    /// that `conn` has open says which key file counts.
    pub(crate) fn end_finding(&self, conn: &Connection, head: &Head) -> Result<Option<String>, StoreError> {
        let signature: Option<Vec<u8>> =
            conn.prepare_cached("SELECT signature FROM event_head WHERE one = 1")?.query_row([], |row| row.get(0))?;
        let home = match conn.path().filter(|path| !path.is_empty()) {
            Some(path) => read(&settled_path(Path::new(path)))?.map(|pair| public_of(&pair)),
            None => None,
        };
        Ok(match (self.current(), &signature, home) {
            // Nothing was ever signed here.
            (None, None, None) => None,
            (Some(key), Some(_), Some(home)) if key.public != home => Some(format!(
                "the log is signed with key {}, and the key beside the database is {}",
                id(&key.public),
                id(&home)
            )),
            (Some(key), Some(signature), _) if self.vouch(key.number, &self.end_message(head), signature) => None,
            (_, None, _) => Some("the signature of the end of the log is gone".to_owned()),
            _ => Some("the signature of the end of the log does not fit it".to_owned()),
        })
    }
}

/// The key of this home, ready to sign.
pub(crate) struct Signer {
    pair: Ed25519KeyPair,
    keys: Keys,
    pub number: i64,
}

impl Signer {
    /// The signature of the end of the log.
    pub(crate) fn end(&self, head: &Head) -> Vec<u8> {
        self.sign(&self.keys.end_message(head))
    }

    /// The signature of `message`.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }
}

/// A key the log was signed with, as people read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKey {
    /// The first 16 hexadecimal digits of its SHA-256.
    pub id: String,
    /// The first position it signed.
    pub since: Seq,
    /// When it was made.
    pub made_at: Timestamp,
}

impl Reader<'_> {
    /// The keys the log was signed with, oldest first; the last one signs.
    ///
    /// # Errors
    /// What the disk said.
    pub fn signing_keys(&self) -> Result<Vec<SigningKey>, StoreError> {
        let keys = Keys::load(self.conn())?.map(|keys| keys.all).unwrap_or_default();
        let named = |key: Key| SigningKey {
            id: id(&key.public),
            since: key.since,
            made_at: Timestamp::from_micros(key.made_at),
        };
        Ok(keys.into_iter().map(named).collect())
    }
}

/// Where the key of the database at `path` lies.
fn settled_path(path: &Path) -> PathBuf {
    create::beside(path, ".key")
}

/// Where a key lies that may not have signed yet.
fn pending_path(path: &Path) -> PathBuf {
    create::beside(path, ".key.new")
}

fn public_of(pair: &Ed25519KeyPair) -> Public {
    let mut public = Public::default();
    public.copy_from_slice(pair.public_key().as_ref());
    public
}

/// The key pair in the file `path`; `None` when there is no file.
fn read(path: &Path) -> Result<Option<Ed25519KeyPair>, StoreError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::io("the signing key beside the database cannot be read", &error)),
    };
    let digits = text.trim();
    let bytes: Option<Vec<u8>> = (0..digits.len() / 2)
        .map(|at| digits.get(at * 2..at * 2 + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect();
    let pair = bytes.filter(|b| digits.len() == b.len() * 2).and_then(|b| Ed25519KeyPair::from_seed_unchecked(&b).ok());
    pair.map(Some).ok_or_else(|| StoreError::damaged("the file with the signing key does not hold one"))
}

/// Makes a key and brings it onto the disk, where it waits for its first signature.
fn make(path: &Path, random: &Random) -> Result<Ed25519KeyPair, StoreError> {
    let mut seed = [0; SEED_BYTES];
    random(&mut seed);
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed)
        .map_err(|_| StoreError::Statement { message: "no signing key could be made".to_owned() })?;
    let text: String = seed.iter().map(|byte| format!("{byte:02x}")).collect();
    let pending = pending_path(path);
    create::private_file(&pending)
        .and_then(|()| OpenOptions::new().write(true).open(&pending))
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .map_err(|e| StoreError::io("the signing key could not be stored", &e))?;
    Ok(pair)
}

/// Marks the key of `path` as one that has not signed yet: the database beside it is new, or of a
/// version that signed nothing.
pub(crate) fn demote(path: &Path) -> Result<(), StoreError> {
    match fs::rename(settled_path(path), pending_path(path)) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(StoreError::io("the signing key could not be moved", &error))
        }
        _ => Ok(()),
    }
}

/// Signs a database that no key has signed, or that was signed on another machine: `conn` has it open
/// for writing, and its key lies beside `path`. Does nothing when the key there has signed it.
pub(crate) fn settle(conn: &Connection, path: &Path, random: &Random, now: Timestamp) -> Result<Signer, StoreError> {
    let keys = Keys::load(conn)?.unwrap_or_else(|| Keys::new(Vec::new()));
    let current = keys.current().cloned();
    if let Some(pair) = read(&settled_path(path))? {
        let number = current.filter(|key| key.public == public_of(&pair)).map(|key| key.number);
        let other = || StoreError::damaged("the log is not signed with the key beside it");
        return Ok(Signer { pair, keys, number: number.ok_or_else(other)? });
    }
    let pair = match read(&pending_path(path)) {
        Ok(Some(pair)) => pair,
        Ok(None) => make(path, random)?,
        Err(StoreError::Damaged { .. }) => {
            // Its writing was cut off, so nothing was signed with it.
            fs::remove_file(pending_path(path)).map_err(|e| StoreError::io("half a key could not be removed", &e))?;
            make(path, random)?
        }
        Err(error) => return Err(error),
    };
    let signer = match current {
        Some(key) if key.public == public_of(&pair) => Signer { pair, number: key.number, keys },
        current => begin(conn, pair, keys, current.map_or(1, |key| key.number + 1), now)?,
    };
    Ok(signer)
}

/// Makes `pair` the key that signs from now on.
fn begin(
    conn: &Connection,
    pair: Ed25519KeyPair,
    keys: Keys,
    number: i64,
    now: Timestamp,
) -> Result<Signer, StoreError> {
    let step = conn.unchecked_transaction()?;
    let head = log::head(&step)?;
    let key = Key { number, public: public_of(&pair), since: head.seq + 1, made_at: now.micros() };
    step.execute(
        "INSERT INTO event_keys (number, public, since, made_at) VALUES (?1, ?2, ?3, ?4)",
        params![key.number, key.public, key.since, key.made_at],
    )?;
    let all = keys.all.into_iter().chain([key]).collect();
    let signer = Signer { pair, keys: Keys::new(all), number };
    log::set_head(&step, &head, Some(&signer))?;
    step.commit()?;
    Ok(signer)
}

/// The key beside `path` has signed what lies there.
pub(crate) fn promote(path: &Path) -> Result<(), StoreError> {
    match fs::rename(pending_path(path), settled_path(path)) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(StoreError::io("the signing key could not be moved", &error))
        }
        _ => Ok(()),
    }
}
