//! What each event carries, with a file for each area. Bodies only grow: new fields are optional or have a default.

macro_rules! bodies {
    ($( $(#[doc = $doc:literal])+ $name:ident { $( $(#[doc = $fdoc:literal])+ $field:ident : $ty:ty, )* } )*) => {
        $(
            $(#[doc = $doc])+
            #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
            pub struct $name {
                $( $(#[doc = $fdoc])+ pub $field: $ty, )*
            }
        )*
    };
}

mod door;
mod house;
mod mind;
mod router;
mod talk;
mod trust;
mod work;

pub use door::*;
pub use house::*;
pub use mind::*;
pub use router::*;
pub use talk::*;
pub use trust::*;
pub use work::*;
