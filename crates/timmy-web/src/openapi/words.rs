//! The small words of the document: what a time, an id or one of a few names looks like on the wire.

use timmy_core::trust::access::Scope as May;
use timmy_domain::message::{MessageStatus, Speaker};
use timmy_domain::thought::{Place as MadeAt, SeedType};
use timmy_domain::{Life, Severity as HowBad};
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::call::Shapes;

/// Text that fits `pattern`.
pub fn text(pattern: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern))
}

/// Any text.
pub fn any() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

/// One of these names.
pub fn one_of<'w>(words: impl IntoIterator<Item = &'w str>) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words))
}

/// A whole number from `low` to `high`.
pub fn number(low: i64, high: Option<i64>) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(low)).maximum(high)
}

macro_rules! words {
    ($( $(#[doc = $doc:literal])+ $name:ident => $schema:expr; )*) => {
        $(
            $(#[doc = $doc])+
            pub struct $name;

            impl PartialSchema for $name {
                fn schema() -> RefOr<Schema> {
                    let builder: ObjectBuilder = $schema;
                    Object::from(builder.description(Some(concat!($($doc),+).trim()))).into()
                }
            }

            impl ToSchema for $name {
                fn name() -> std::borrow::Cow<'static, str> {
                    stringify!($name).into()
                }
            }
        )*

        /// Puts every word into `shapes`.
        pub fn all(shapes: &mut Shapes) {
            $( shapes.insert(stringify!($name).to_owned(), $name::schema()); )*
        }
    };
}

words! {
    /// A point in time: RFC 3339 in UTC with six digits of fraction, so that the text sorts as the time does.
    Moment => text(r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z$")
        .format(Some(SchemaFormat::Custom("date-time".to_owned())))
        .examples(["2026-11-21T08:00:00.000000Z"]);
    /// A UUID of version 7: ids sort by birth.
    Id => text("^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")
        .format(Some(SchemaFormat::Custom("uuid".to_owned())))
        .examples(["0192f0c1-7c2a-7e55-9d0e-2b1f6a0c9a11"]);
    /// A position in the log. The first event has 1.
    Position => number(0, Some(i64::MAX)).examples([42]);
    /// What a thought grows from.
    Seed => one_of(SeedType::ALL.map(SeedType::name));
    /// Where something was made: on this machine, on another one, by rules without a model, or by the owner.
    Place => one_of([MadeAt::Local, MadeAt::Remote, MadeAt::Reflex, MadeAt::Owner].map(MadeAt::name));
    /// How bad an event is.
    Severity => one_of(HowBad::ALL.map(HowBad::name));
    /// Timmy's state in one word.
    State => one_of(Life::ALL.map(Life::name));
    /// What became of a message.
    MessageState => one_of(MessageStatus::ALL.map(MessageStatus::name));
    /// Who speaks.
    Voice => one_of([Speaker::Owner, Speaker::Timmy].map(|speaker| match speaker {
        Speaker::Owner => "owner",
        Speaker::Timmy => "timmy",
    }));
    /// What somebody may do: ask the models alone; look; also act; also let others in.
    Scope => one_of(May::ALL.map(May::name));
}
