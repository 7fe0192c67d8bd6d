//! What the helper is told: the policy and the program, through the pipe that becomes the child's standard input.
//!
//! It stands in no argument, no variable and no file, so nobody else can read or change it. The form is pairs of
//! name and value, each ended by a zero byte, which no path and no argument can hold.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use super::policy::{Limits, Net, Policy};
use super::tier::Tier;

/// The form of this order. House and helper are one program, except while a test names another one.
pub(crate) const FORM: &str = "1";

/// Bytes an order may have: arguments and environment together have about two mebibytes in Linux.
pub(crate) const ORDER_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Bytes of the helper's own line at the beginning of the child's standard error.
pub(crate) const REPLY_BYTES_MAX: usize = 4 * 1024;

/// How the helper's line begins when everything is in place and the program starts.
pub(crate) const READY: &str = "timmy-sandbox ready";

/// How it begins when something is not, and nothing was started.
pub(crate) const FAILED: &str = "timmy-sandbox failed";

/// The exit code of a helper that did not become the program.
pub(crate) const EXIT_HELPER_FAILED: u8 = 125;

/// The exit code where the program is there and cannot be run.
pub(crate) const EXIT_CANNOT_RUN: u8 = 126;

/// What is known of a file that was looked at before: it must still be the same one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    /// The number of its disk and its own, where they are known.
    pub file: Option<(u64, u64)>,
    /// Its SHA-256 in hexadecimal, where it is known.
    pub sha256: Option<String>,
}

/// One order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub tier: Tier,
    /// The process that gives the order; the helper ends when it does.
    pub giver: u32,
    pub program: OsString,
    /// What the program must still be.
    pub program_known: Known,
    pub args: Vec<OsString>,
    pub env: Vec<(OsString, OsString)>,
    pub folder: Option<PathBuf>,
    /// What the folder must still be.
    pub folder_known: Known,
    pub policy: Policy,
}

impl Order {
    /// The order as it travels: a short part for the helper that makes the namespaces, and the whole for the one
    /// within them. Each is preceded by its length.
    pub(crate) fn frames(&self) -> Vec<u8> {
        let mut first = Pairs::default();
        first.put("form", FORM).put("tier", self.tier.name()).put("giver", self.giver.to_string());
        first.put("net", net_name(self.policy.net));
        let mut bytes = first.frame();
        bytes.extend(self.whole().frame());
        bytes
    }

    fn whole(&self) -> Pairs {
        let mut pairs = Pairs::default();
        pairs.put("form", FORM).put("tier", self.tier.name()).put("giver", self.giver.to_string());
        pairs.put("program", &self.program);
        put_known(&mut pairs, "program", &self.program_known);
        for arg in &self.args {
            pairs.put("arg", arg);
        }
        for (name, value) in &self.env {
            pairs.put("env", name).put("value", value);
        }
        if let Some(folder) = &self.folder {
            pairs.put("folder", folder);
            put_known(&mut pairs, "folder", &self.folder_known);
        }
        let policy = &self.policy;
        for (name, paths) in [("ro", &policy.ro), ("rw", &policy.rw), ("exec", &policy.exec), ("keep", &policy.keep)] {
            for path in paths {
                pairs.put(name, path);
            }
        }
        let limits = policy.limits;
        let numbers = [
            limits.memory_bytes,
            limits.address_bytes,
            limits.processes,
            limits.file_bytes,
            limits.open_files,
            limits.cpu_seconds,
        ];
        pairs.put("limits", numbers.map(|n| n.to_string()).join(" ")).put("net", net_name(policy.net));
        pairs
    }

    /// Reads either part. What is missing in the short one is empty.
    ///
    /// # Errors
    /// A word on what is wrong with it.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, String> {
        let mut order = Self {
            tier: Tier::T1,
            giver: 0,
            program: OsString::new(),
            program_known: Known::default(),
            args: Vec::new(),
            env: Vec::new(),
            folder: None,
            folder_known: Known::default(),
            policy: Policy::untrusted(),
        };
        let mut form = String::new();
        let mut values = bytes.split(|byte| *byte == 0);
        while let Some(name) = values.next().filter(|name| !name.is_empty()) {
            let name = String::from_utf8_lossy(name).into_owned();
            let value = OsString::from_vec(values.next().ok_or("an order that breaks off")?.to_vec());
            match name.as_str() {
                "form" => form = value.to_string_lossy().into_owned(),
                "value" => order.env.last_mut().ok_or("a value without a name")?.1 = value,
                other => order.take(other, value)?,
            }
        }
        if form == FORM { Ok(order) } else { Err(format!("an order of form {form:?}, known is {FORM}")) }
    }

    fn take(&mut self, name: &str, value: OsString) -> Result<(), String> {
        let text = || value.to_str().ok_or_else(|| format!("{name} is not text"));
        let policy = &mut self.policy;
        match name {
            "tier" => self.tier = Tier::of_name(text()?).ok_or("an unknown tier")?,
            "giver" => self.giver = text()?.parse().map_err(|_| "giver is no number")?,
            "program" => self.program = value,
            "program.file" => self.program_known.file = Some(read_file(text()?)?),
            "program.sha256" => self.program_known.sha256 = Some(text()?.to_owned()),
            "folder.file" => self.folder_known.file = Some(read_file(text()?)?),
            "arg" => self.args.push(value),
            "env" => self.env.push((value, OsString::new())),
            "folder" => self.folder = Some(value.into()),
            "ro" => policy.ro.push(value.into()),
            "rw" => policy.rw.push(value.into()),
            "exec" => policy.exec.push(value.into()),
            "keep" => policy.keep.push(value.into()),
            "net" => policy.net = if text()? == net_name(Net::Full) { Net::Full } else { Net::None },
            "limits" => policy.limits = read_limits(text()?)?,
            other => return Err(format!("{other} is unknown")),
        }
        Ok(())
    }
}

fn put_known(pairs: &mut Pairs, what: &str, known: &Known) {
    if let Some((disk, file)) = known.file {
        pairs.put(&format!("{what}.file"), format!("{disk} {file}"));
    }
    if let Some(sha256) = &known.sha256 {
        pairs.put(&format!("{what}.sha256"), sha256);
    }
}

const fn net_name(net: Net) -> &'static str {
    match net {
        Net::None => "none",
        Net::Full => "full",
    }
}

fn read_file(text: &str) -> Result<(u64, u64), String> {
    let numbers = text.split_once(' ').and_then(|(disk, file)| Some((disk.parse().ok()?, file.parse().ok()?)));
    numbers.ok_or_else(|| "a file that is not two numbers".to_owned())
}

fn read_limits(text: &str) -> Result<Limits, String> {
    let numbers: Vec<u64> = text.split(' ').filter_map(|n| n.parse().ok()).collect();
    let [memory_bytes, address_bytes, processes, file_bytes, open_files, cpu_seconds] = numbers[..] else {
        return Err("limits that are not six numbers".to_owned());
    };
    Ok(Limits { memory_bytes, address_bytes, processes, file_bytes, open_files, cpu_seconds })
}

#[derive(Default)]
struct Pairs(Vec<u8>);

impl Pairs {
    fn put(&mut self, name: &str, value: impl AsRef<OsStr>) -> &mut Self {
        for part in [name.as_bytes(), value.as_ref().as_bytes()] {
            // A zero byte ends a value; nothing that reaches the system can hold one.
            self.0.extend(part.iter().filter(|byte| **byte != 0));
            self.0.push(0);
        }
        self
    }

    fn frame(self) -> Vec<u8> {
        let length = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.extend(self.0);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> Order {
        Order {
            tier: Tier::T3,
            giver: 42,
            program: "git".into(),
            program_known: Known { file: Some((1, 2)), sha256: Some("ab".into()) },
            args: vec!["".into(), "a b\n".into(), OsString::from_vec(vec![0xff, 0xfe])],
            env: vec![("A".into(), "".into()), ("B".into(), "x=y".into())],
            folder: Some("/f".into()),
            folder_known: Known { file: Some((3, 4)), sha256: None },
            policy: Policy::untrusted().reads("/r").writes("/w").runs("/e").keeps("/w/k").net(Net::Full),
        }
    }

    #[test]
    fn an_order_arrives_as_it_was_given() {
        let bytes = order().frames();
        let first = u32::from_le_bytes(bytes[..4].try_into().expect("a length")) as usize;
        let short = Order::read(&bytes[4..4 + first]).expect("the short part");
        assert_eq!((short.tier, short.giver, short.policy.net), (Tier::T3, 42, Net::Full));
        assert!(short.program.is_empty());
        assert_eq!(Order::read(&bytes[first + 8..]).expect("the whole"), order());
    }

    #[test]
    fn an_order_of_another_form_or_a_broken_one_is_refused() {
        for bad in
            [&b"form\x00999\0"[..], b"", b"form\x001\0bogus\0x\0", b"form\x001\0limits\x001 2\0", b"form\x001\0tier"]
        {
            assert!(Order::read(bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn a_zero_byte_cannot_begin_a_pair_of_its_own() {
        let mut pairs = Pairs::default();
        pairs.put("form", FORM).put("arg", OsString::from_vec(b"x\0rw\0/".to_vec()));
        let read = Order::read(&pairs.0).expect("read");
        assert_eq!((read.args, read.policy.rw.len()), (vec![OsString::from("xrw/")], 0));
    }
}
