//! Asks the profile's `oauth_token_command` for a token, and finds out whose it is and how long it lives.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;
use serde::Deserialize;

use super::{RunError, command};

/// How long a token is trusted that does not say it.
const DEFAULT_LIFETIME_MILLIS: i64 = 5 * 60 * 1000;

/// A token for SASL OAUTHBEARER.
#[derive(Clone, PartialEq, Eq)]
pub struct OauthToken {
    /// The token, a secret.
    pub token: String,
    /// The subject of the token, or `kpipe`; the broker decides by the token alone.
    pub principal: String,
    /// When it ends, in milliseconds since the epoch.
    pub expires_at_millis: i64,
}

impl fmt::Debug for OauthToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "OauthToken of {:?} until {}",
            self.principal, self.expires_at_millis
        )
    }
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum OauthError {
    /// The command failed.
    #[error("oauth_token_command")]
    Command(#[from] RunError),
    /// The token endpoint refused (RFC 6749, section 5.2).
    #[error("oauth_token_command: the token endpoint answered {error:?}")]
    Refused { error: String },
    /// Neither a token (RFC 6750, section 2.1) nor a token response (RFC 6749, section 5.1).
    #[error("oauth_token_command printed neither a token nor a JSON object with an access_token")]
    NoToken,
    /// The token is of no use any more.
    #[error("oauth_token_command printed a token that has expired")]
    Expired,
}

impl OauthError {
    /// Returns what to type instead, where there is something.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoToken => Some(
                "it prints the token alone, or {\"access_token\":\"…\",\"expires_in\":3600}"
                    .to_owned(),
            ),
            Self::Command(_) | Self::Refused { .. } | Self::Expired => None,
        }
    }
}

#[derive(Deserialize)]
struct Response {
    access_token: Option<String>,
    /// Seconds.
    expires_in: Option<f64>,
    error: Option<String>,
}

/// The claims of RFC 7519 that matter here.
#[derive(Default, Deserialize)]
struct Claims {
    sub: Option<String>,
    /// Seconds since the epoch.
    exp: Option<f64>,
}

/// Runs the command, at most 30 s, and reads the token it prints; `now` is when it was started.
///
/// # Errors
///
/// The command fails, prints no token or one that has expired.
pub fn fetch_token(argv: &[String], now: Timestamp) -> Result<OauthToken, OauthError> {
    parse(&command::output(argv)?, now)
}

fn parse(text: &str, now: Timestamp) -> Result<OauthToken, OauthError> {
    let text = text.trim();
    let (token, expires_in) = if text.starts_with('{') {
        let response: Response = serde_json::from_str(text).map_err(|_| OauthError::NoToken)?;
        if let Some(error) = response.error {
            return Err(OauthError::Refused { error });
        }
        (
            response.access_token.ok_or(OauthError::NoToken)?,
            response.expires_in,
        )
    } else {
        (text.to_owned(), None)
    };
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if token.is_empty() || !token.bytes().all(allowed) {
        return Err(OauthError::NoToken);
    }

    let claims = claims(&token).unwrap_or_default();
    let now = now.as_millisecond();
    // A span counts from our own clock, so it is right even where that is wrong.
    let expires_at_millis = match (expires_in, claims.exp) {
        (Some(span), _) => now.saturating_add(millis(span)),
        (None, Some(end)) => millis(end),
        (None, None) => now.saturating_add(DEFAULT_LIFETIME_MILLIS),
    };
    if expires_at_millis <= now {
        return Err(OauthError::Expired);
    }
    let principal = claims
        .sub
        .filter(|subject| !subject.is_empty() && !subject.contains('\0'));
    Ok(OauthToken {
        token,
        principal: principal.unwrap_or_else(|| "kpipe".to_owned()),
        expires_at_millis,
    })
}

/// The claims of a JWT; the broker, not the client, verifies its signature.
fn claims(token: &str) -> Option<Claims> {
    let payload = token.split('.').nth(1)?;
    serde_json::from_slice(&BASE64URL_NOPAD.decode(payload.as_bytes()).ok()?).ok()
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a cast of a float saturates, and parts of a millisecond are none"
)]
fn millis(seconds: f64) -> i64 {
    (seconds * 1000.0) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_millisecond(1_000_000).unwrap()
    }

    fn jwt(claims: &str) -> String {
        format!("e30.{}.c2ln", BASE64URL_NOPAD.encode(claims.as_bytes()))
    }

    #[test]
    fn a_bare_jwt_tells_its_subject_and_end() {
        let token = jwt(r#"{"sub":"ann","exp":2000.5,"aud":["kafka"]}"#);
        let expected = OauthToken {
            token: token.clone(),
            principal: "ann".to_owned(),
            expires_at_millis: 2_000_500,
        };
        assert_eq!(parse(&format!("{token}\n"), now()).unwrap(), expected);
        assert!(!format!("{expected:?}").contains(&token));
    }

    #[test]
    fn a_token_response_tells_its_span() {
        let text = r#"{"token_type":"Bearer","access_token":"opaque~1","expires_in":3600}"#;
        let expected = OauthToken {
            token: "opaque~1".to_owned(),
            principal: "kpipe".to_owned(),
            expires_at_millis: 4_600_000,
        };
        assert_eq!(parse(text, now()).unwrap(), expected);
    }

    #[test]
    fn an_opaque_token_lives_five_minutes() {
        assert_eq!(parse("opaque", now()).unwrap().expires_at_millis, 1_300_000);
    }

    #[test]
    fn what_is_no_token_is_refused_and_not_quoted() {
        for text in [
            "",
            "<html>hunter2</html>",
            "{\"token\":\"hunter2\"}",
            "{hunter2",
            "a b",
        ] {
            let error = parse(text, now()).unwrap_err();
            assert!(matches!(error, OauthError::NoToken), "{text}");
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
        let refused = parse(r#"{"error":"invalid_client"}"#, now()).unwrap_err();
        assert!(refused.to_string().ends_with("answered \"invalid_client\""));
        assert!(matches!(
            parse(&jwt(r#"{"exp":1000}"#), now()),
            Err(OauthError::Expired)
        ));
    }

    #[test]
    fn the_command_is_run() {
        assert_eq!(
            fetch_token(&["printf".to_owned(), "opaque".to_owned()], now())
                .unwrap()
                .token,
            "opaque"
        );
        assert!(matches!(
            fetch_token(&["false".to_owned()], now()),
            Err(OauthError::Command(_))
        ));
    }
}
