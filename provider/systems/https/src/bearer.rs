//! A token that goes with a request.

use std::fmt;

use http::HeaderValue;

/// A bearer token. It is shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Bearer(HeaderValue);

/// A text that cannot be a bearer token. The text itself is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a bearer token is one line of visible ASCII characters; this one is empty or has others in it")]
pub struct InvalidBearer;

impl Bearer {
    /// Takes a token; spaces and line ends around it, which come with files, are left out.
    ///
    /// # Errors
    /// When it is empty or cannot stand in a header.
    pub fn new(token: &str) -> Result<Bearer, InvalidBearer> {
        let token = token.trim();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidBearer);
        }
        let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| InvalidBearer)?;
        value.set_sensitive(true);
        Ok(Bearer(value))
    }

    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer(…)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_token_is_taken_as_it_comes_from_files_and_never_shown() {
        let bearer = Bearer::new(" s3cret\n").unwrap();
        assert_eq!(bearer.header().to_str().unwrap(), "Bearer s3cret");
        assert!(!format!("{bearer:?} {:?}", bearer.header()).contains("s3cret"));
    }

    #[test]
    fn what_cannot_stand_in_a_header_is_refused_without_repeating_it() {
        for wrong in ["", " \n", "two words", "a\nb", "é"] {
            let error = Bearer::new(wrong).unwrap_err();
            assert!(wrong.trim().is_empty() || !error.to_string().contains(wrong), "{error}");
        }
    }
}
