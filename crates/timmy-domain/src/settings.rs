//! Settings as data: one declaration gives the struct, its defaults, its bounds and its documentation.
//!
//! A section lives in the crate that uses it; the binary only composes them. File, environment and
//! flags all go through [`Section::set`], so a bound is checked in one place.

use std::fmt;

/// A value as it stands in the file, the environment or a flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Text.
    Text(String),
    /// A list of texts.
    List(Vec<String>),
}

impl Value {
    /// Reads `text`, as it comes from the environment or a flag, as a value of the same kind as `like`.
    ///
    /// # Errors
    /// A sentence that says what was expected.
    pub fn parse_like(like: &Self, text: &str) -> Result<Self, String> {
        match like {
            Self::Bool(_) => match text {
                "true" | "1" | "on" | "yes" => Ok(Self::Bool(true)),
                "false" | "0" | "off" | "no" => Ok(Self::Bool(false)),
                _ => Err("expected true or false".to_owned()),
            },
            Self::Int(_) => text.parse().map(Self::Int).map_err(|_| "expected a whole number".to_owned()),
            Self::Text(_) => Ok(Self::Text(text.to_owned())),
            Self::List(_) => Ok(Self::List(
                text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect(),
            )),
        }
    }

    const fn kind(&self) -> &'static str {
        match self {
            Self::Bool(_) => "true or false",
            Self::Int(_) => "a whole number",
            Self::Text(_) => "text in quotes",
            Self::List(_) => "a list of texts",
        }
    }
}

/// Shows the value as it would stand in `timmy.toml`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(b) => write!(f, "{b}"),
            Self::Int(i) => write!(f, "{i}"),
            Self::Text(t) => write!(f, "{t:?}"),
            Self::List(items) => {
                f.write_str("[")?;
                for (n, item) in items.iter().enumerate() {
                    write!(f, "{}{item:?}", if n == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
        }
    }
}

/// What a value must satisfy beyond its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Nothing more.
    Free,
    /// A whole number between these two, both included.
    Range(i64, i64),
    /// A text, or each text of a list, from this set.
    OneOf(&'static [&'static str]),
    /// A text of at most this many bytes.
    BytesMax(usize),
    /// A local time of day as `HH:MM`, or empty.
    TimeOfDay,
}

impl Bound {
    /// Checks `value`.
    ///
    /// # Errors
    /// A sentence that says what was expected.
    pub fn check(self, value: &Value) -> Result<(), String> {
        match (self, value) {
            (Self::Range(low, high), Value::Int(i)) if !(low..=high).contains(i) => {
                Err(format!("expected a whole number from {low} to {high}, not {i}"))
            }
            (Self::OneOf(words), Value::Text(t)) if !words.contains(&t.as_str()) => {
                Err(format!("expected one of {}, not {t:?}", words.join(", ")))
            }
            (Self::BytesMax(max), Value::Text(t)) if t.len() > max => {
                Err(format!("expected at most {max} bytes, not {}", t.len()))
            }
            (Self::TimeOfDay, Value::Text(t)) if !t.is_empty() && minute_of_day(t).is_none() => {
                Err(format!("expected a time of day such as 22:00, or \"\", not {t:?}"))
            }
            _ => Ok(()),
        }
    }
}

/// Minutes after midnight of a `HH:MM` text; `None` when it is not one.
#[must_use]
pub fn minute_of_day(text: &str) -> Option<u32> {
    let (h, m) = text.split_once(':')?;
    let (h, m) = (h.parse::<u32>().ok()?, m.parse::<u32>().ok()?);
    (h < 24 && m < 60 && text.len() == 5).then_some(h * 60 + m)
}

/// One key of a section, as documentation and pages show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyInfo {
    /// The key inside its section, such as `interval_seconds`.
    pub key: &'static str,
    /// What it does, with its unit.
    pub doc: String,
    /// Its default.
    pub default: Value,
    /// What its values must satisfy.
    pub bound: Bound,
}

/// A group of settings that belongs to one part of the house.
pub trait Section: Default {
    /// The name of the table in `timmy.toml`.
    const NAME: &'static str;
    /// What the section is about.
    const DOC: &'static str;
    /// Its keys in the order of their declaration.
    fn keys() -> Vec<KeyInfo>;
    /// The value of `key`, or nothing when the section has no such key.
    fn get(&self, key: &str) -> Option<Value>;
    /// Sets `key` after checking its type and bound.
    ///
    /// # Errors
    /// A sentence that says what was expected.
    fn set(&mut self, key: &str, value: &Value) -> Result<(), String>;
}

/// A Rust type that can stand in a section.
pub trait Setting: Sized {
    /// As a value.
    fn to_value(&self) -> Value;
    /// From a value of the right kind; `None` when the kind differs or the number does not fit.
    fn from_value(value: &Value) -> Option<Self>;
}

impl Setting for bool {
    fn to_value(&self) -> Value {
        Value::Bool(*self)
    }
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Bool(b) = value { Some(*b) } else { None }
    }
}

impl Setting for u64 {
    fn to_value(&self) -> Value {
        Value::Int(i64::try_from(*self).unwrap_or(i64::MAX))
    }
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Int(i) = value { Self::try_from(*i).ok() } else { None }
    }
}

impl Setting for String {
    fn to_value(&self) -> Value {
        Value::Text(self.clone())
    }
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Text(t) = value { Some(t.clone()) } else { None }
    }
}

impl Setting for Vec<String> {
    fn to_value(&self) -> Value {
        Value::List(self.clone())
    }
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::List(l) = value { Some(l.clone()) } else { None }
    }
}

/// Sets one field from a value. Called by the code that [`settings!`](crate::settings!) writes.
///
/// # Errors
/// A sentence that says what was expected.
pub fn assign<T: Setting>(field: &mut T, bound: Bound, value: &Value) -> Result<(), String> {
    bound.check(value)?;
    let expected = field.to_value();
    *field = T::from_value(value).ok_or_else(|| format!("expected {}, not {value}", expected.kind()))?;
    Ok(())
}

/// Declares a section: `struct Name in "table" { /// doc  key: Type = default, bound; }`.
#[macro_export]
macro_rules! settings {
    (
        #[doc = $sdoc:literal]
        pub struct $name:ident in $table:literal {
            $( $(#[doc = $doc:literal])+ $key:ident : $ty:ty = $default:expr, $bound:expr; )*
        }
    ) => {
        #[doc = $sdoc]
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            $( $(#[doc = $doc])+ pub $key: $ty, )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $key: $default, )* }
            }
        }

        impl $crate::settings::Section for $name {
            const NAME: &'static str = $table;
            const DOC: &'static str = $sdoc;

            fn keys() -> Vec<$crate::settings::KeyInfo> {
                let default = Self::default();
                vec![$(
                    $crate::settings::KeyInfo {
                        key: stringify!($key),
                        doc: [$($doc.trim()),+].join(" "),
                        default: $crate::settings::Setting::to_value(&default.$key),
                        bound: { use $crate::settings::Bound::*; $bound },
                    },
                )*]
            }

            fn get(&self, key: &str) -> Option<$crate::settings::Value> {
                match key {
                    $( stringify!($key) => Some($crate::settings::Setting::to_value(&self.$key)), )*
                    _ => None,
                }
            }

            fn set(&mut self, key: &str, value: &$crate::settings::Value) -> Result<(), String> {
                match key {
                    $( stringify!($key) => {
                        $crate::settings::assign(&mut self.$key, { use $crate::settings::Bound::*; $bound }, value)
                    } )*
                    _ => Err("no such key".to_owned()),
                }
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    settings! {
        /// A section for this test.
        pub struct Sample in "sample" {
            /// Whether it is on.
            enabled: bool = true, Free;
            /// How often,
            /// in seconds.
            every_seconds: u64 = 300, Range(1, 86_400);
            /// When the quiet begins.
            quiet_from: String = String::new(), TimeOfDay;
            /// Who may answer.
            providers: Vec<String> = vec!["ollama".to_owned()], Free;
        }
    }

    #[test]
    fn a_declaration_gives_defaults_documentation_and_bounds() {
        let mut sample = Sample::default();
        assert_eq!(Sample::keys()[1].doc, "How often, in seconds.");
        assert_eq!(sample.get("every_seconds"), Some(Value::Int(300)));
        assert_eq!(sample.set("every_seconds", &Value::Int(5)), Ok(()));
        assert_eq!(sample.every_seconds, 5);
        let refused = [
            ("every_seconds", Value::Int(0), "expected a whole number from 1 to 86400, not 0"),
            ("every_seconds", Value::Text("5".into()), "expected a whole number, not \"5\""),
            ("quiet_from", Value::Text("25:00".into()), "expected a time of day such as 22:00, or \"\", not \"25:00\""),
            ("enabled", Value::Int(1), "expected true or false, not 1"),
            ("colour", Value::Int(1), "no such key"),
        ];
        for (key, value, why) in refused {
            assert_eq!(sample.set(key, &value), Err(why.to_owned()));
        }
        assert_eq!(sample.every_seconds, 5, "a refused value changes nothing");
    }

    #[test]
    fn environment_text_is_read_by_the_kind_of_the_key() {
        assert_eq!(Value::parse_like(&Value::Bool(true), "off"), Ok(Value::Bool(false)));
        assert_eq!(
            Value::parse_like(&Value::List(vec![]), "ollama, reflex"),
            Ok(Value::List(vec!["ollama".into(), "reflex".into()]))
        );
        assert!(Value::parse_like(&Value::Int(1), "many").is_err());
    }
}
