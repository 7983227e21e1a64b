//! The v1 signature: one of the parameters, over all others.

use axum::http::Method;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;

use super::Received;
use crate::secret::{Secret, is_same};

/// Names and values as they were sent, decoded, in their order.
pub(in crate::api::tencent) type Pairs = Vec<(String, String)>;

/// How the text is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api::tencent) enum HashMethod {
    Sha1,
    Sha256,
}

impl HashMethod {
    /// Reads `SignatureMethod`; without one it is the older.
    pub fn parse(text: Option<&str>) -> Option<Self> {
        match text {
            None | Some("" | "HmacSHA1") => Some(Self::Sha1),
            Some("HmacSHA256") => Some(Self::Sha256),
            Some(_) => None,
        }
    }

    fn sign(self, text: &str, key: &Secret) -> String {
        let key = key.expose().as_bytes();
        // A key may have any length.
        let code = match self {
            Self::Sha1 => Hmac::<Sha1>::new_from_slice(key)
                .map(|mac| mac.chain_update(text).finalize().into_bytes().to_vec()),
            Self::Sha256 => Hmac::<Sha256>::new_from_slice(key)
                .map(|mac| mac.chain_update(text).finalize().into_bytes().to_vec()),
        };
        STANDARD.encode(code.unwrap_or_default())
    }
}

/// Whether this key has signed the parameters. Some SDKs write `_` in a name as `.`.
pub(in crate::api::tencent) fn is_signed(
    request: Received<'_>,
    pairs: &Pairs,
    method: HashMethod,
    signature: &str,
    key: &Secret,
    public: &[String],
) -> bool {
    let has_underscore = pairs.iter().any(|(name, _)| name.contains('_'));
    let spellings: &[bool] = if has_underscore {
        &[false, true]
    } else {
        &[false]
    };
    spellings.iter().any(|&with_dots| {
        let parameters = sorted(pairs, with_dots);
        request.hosts(public).iter().any(|host| {
            let text = text(request.method, host, &parameters);
            let ours = method.sign(&text, key);
            is_same(&ours, signature)
        })
    })
}

fn text(method: &Method, host: &str, parameters: &str) -> String {
    format!("{method}{host}/?{parameters}")
}

/// All parameters but the signature, by the bytes of their names.
fn sorted(pairs: &Pairs, with_dots: bool) -> String {
    let mut parameters: Vec<(String, &str)> = pairs
        .iter()
        .filter(|(name, _)| name != "Signature")
        .map(|(name, value)| match with_dots {
            true => (name.replace('_', "."), value.as_str()),
            false => (name.clone(), value.as_str()),
        })
        .collect();
    parameters.sort_by(|(one, _), (other, _)| one.cmp(other));
    let lines: Vec<String> = parameters
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    lines.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(query: &str) -> Pairs {
        form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect()
    }

    #[test]
    fn the_vendors_example() {
        let query = "Version=2017-03-12&Timestamp=1465185768&SecretId=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE\
            &Region=ap-guangzhou&Offset=0&Nonce=11886&Limit=20&InstanceIds.0=ins-09dx96dg&Action=DescribeInstances\
            &Signature=x";
        let text = text(
            &Method::GET,
            "cvm.tencentcloudapi.com",
            &sorted(&pairs(query), false),
        );
        assert_eq!(
            text,
            "GETcvm.tencentcloudapi.com/?Action=DescribeInstances&InstanceIds.0=ins-09dx96dg&Limit=20&Nonce=11886&Offset=0\
             &Region=ap-guangzhou&SecretId=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE&Timestamp=1465185768&Version=2017-03-12"
        );
        let key = Secret::new("Gu5t9xGARNpq86cd98joQYCN3EXAMPLE");
        assert_eq!(
            HashMethod::Sha1.sign(&text, &key),
            "EliP9YW3pW28FpsEdkXt/+WcGeI="
        );
    }

    #[test]
    fn names_are_sorted_as_text_and_empty_values_count() {
        assert_eq!(
            sorted(&pairs("b.2=x&b.10=y&a=&B=1&c_d=%2B+1"), false),
            "B=1&a=&b.10=y&b.2=x&c_d=+ 1"
        );
        assert_eq!(sorted(&pairs("c_d=1"), true), "c.d=1");
    }

    #[test]
    fn methods() {
        for (text, method) in [
            (None, Some(HashMethod::Sha1)),
            (Some("HmacSHA1"), Some(HashMethod::Sha1)),
            (Some("HmacSHA256"), Some(HashMethod::Sha256)),
            (Some("TC3-HMAC-SHA256"), None),
        ] {
            assert_eq!(HashMethod::parse(text), method, "{text:?}");
        }
    }
}
