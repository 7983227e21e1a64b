//! How a callback shows that it comes from here.

use sha1::{Digest, Sha1};

use crate::secret::Secret;

/// SHA-1 of secret, timestamp and nonce, put one behind the other in the order of their bytes, in lower-case hex.
pub fn sign_callback(secret: &Secret, timestamp: &str, nonce: &str) -> String {
    let mut parts = [secret.expose(), timestamp, nonce];
    parts.sort_unstable();
    hex::encode(Sha1::digest(parts.concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vendors_example() {
        let signature = sign_callback(&Secret::new("secret"), "1470820198", "123412");
        assert_eq!(signature, "5bd59fd62953a8059fb7eaba95720f66d19e4517");
    }
}
