//! A field of a JSON value: a name, or a pointer.

use std::fmt;
use std::str::FromStr;

use crate::record::{Pointer, PointerError};

/// Where in a value; never the whole of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field(Pointer);

/// Why a text is no field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    #[error("a field has a name")]
    Empty,
    #[error(transparent)]
    Pointer(#[from] PointerError),
}

impl FromStr for Field {
    type Err = FieldError;

    /// Reads a JSON pointer, which begins with `/`, or the name of a member as it is.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "" => Err(FieldError::Empty),
            text if text.starts_with('/') => Ok(Self(text.parse()?)),
            name => Ok(Self(Pointer::from_names(vec![name.to_owned()]))),
        }
    }
}

impl Field {
    /// The field as a pointer.
    pub fn pointer(&self) -> &Pointer {
        &self.0
    }

    /// The names on the way to it.
    pub(super) fn path(&self) -> &[String] {
        self.0.names()
    }
}

impl fmt::Display for Field {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_a_name_or_a_pointer() {
        let told = |text: &str| text.parse::<Field>().unwrap().to_string();
        assert_eq!(told("total"), "/total");
        assert_eq!(told("/order/total"), "/order/total");
        assert_eq!(told("a/b~"), "/a~1b~0");
        assert_eq!(told("/"), "/");
        assert_eq!("".parse::<Field>(), Err(FieldError::Empty));
        assert!("/a~2".parse::<Field>().is_err());
    }
}
