//! An authenticator in software, with a browser around it: it answers what WebAuthn's JSON asks, honestly or as the test wants.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "each test uses a part of it, and fails loudly"
)]

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand::{SystemRandom, fill},
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

pub fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub fn bytes(text: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text.as_str().unwrap()).unwrap()
}

fn random() -> Vec<u8> {
    let mut bytes = vec![0; 32];
    fill(&mut bytes).unwrap();
    bytes
}

enum Signer {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
    Rs256(RsaKeyPair),
}

impl Signer {
    fn new(algorithm: i64) -> Self {
        match algorithm {
            -7 => Self::Es256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap()),
            -8 => Self::EdDsa(Ed25519KeyPair::generate().unwrap()),
            -257 => Self::Rs256(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()),
            other => panic!("no algorithm {other}"),
        }
    }

    fn cose(&self) -> Vec<u8> {
        match self {
            Self::Es256(pair) => {
                let point = pair.public_key().as_ref();
                let (x, y) = point[1..].split_at(32);
                [&[0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32][..], x, &[0x22, 0x58, 32], y].concat()
            }
            Self::EdDsa(pair) => {
                [&[0xa4, 1, 1, 3, 0x27, 0x20, 6, 0x21, 0x58, 32][..], pair.public_key().as_ref()].concat()
            }
            Self::Rs256(pair) => {
                // The public key is an `RSAPublicKey` (RFC 8017): 30 82 .. .., 02 82 01 01 00 and the modulus, 02 03 and the exponent.
                let der = pair.public_key().as_ref();
                let modulus = &der[der.len() - 5 - 256..der.len() - 5];
                [&[0xa4, 1, 3, 3, 0x39, 1, 0, 0x20, 0x59, 1, 0][..], modulus, &[0x21, 0x43, 1, 0, 1]].concat()
            }
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Es256(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::EdDsa(pair) => pair.sign(message).as_ref().to_vec(),
            Self::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
        }
    }
}

struct Made {
    id: Vec<u8>,
    rp_id: String,
    user_handle: Vec<u8>,
    signer: Signer,
}

/// What it says is true unless a field says otherwise.
pub struct Authenticator {
    made: Vec<Made>,
    /// Where the browser is.
    pub origin: String,
    pub algorithm: i64,
    /// What the counter shows next; none counts where it is `None`.
    pub counter: Option<u32>,
    pub present: bool,
    /// It has a PIN, and asked for it.
    pub verifies: bool,
    /// It copies its passkeys to other devices.
    pub synced: bool,
    /// It signs its births itself.
    pub attests: bool,
    /// It is asked by a page within another one's.
    pub framed: bool,
    /// It signs for another relying party than it was asked to.
    pub rp_id: Option<String>,
}

impl Authenticator {
    pub fn at(origin: &str) -> Self {
        Self {
            made: Vec::new(),
            origin: origin.to_owned(),
            algorithm: -7,
            counter: Some(1),
            present: true,
            verifies: true,
            synced: false,
            attests: false,
            framed: false,
            rp_id: None,
        }
    }

    fn client_data(&self, kind: &str, challenge: &Value) -> Vec<u8> {
        let mut data = json!({"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": self.framed});
        data["another field"] = json!("browsers add some");
        data.to_string().into_bytes()
    }

    fn data(&mut self, rp_id: &str, attested: Option<&[u8]>) -> Vec<u8> {
        let count = self.counter.unwrap_or_default();
        if let Some(counter) = &mut self.counter {
            *counter += 1;
        }
        let flags = u8::from(self.present)
            | u8::from(self.verifies) << 2
            | u8::from(self.synced) << 3
            | u8::from(self.synced) << 4
            | u8::from(attested.is_some()) << 6;
        let rp_id = self.rp_id.as_deref().unwrap_or(rp_id);
        let head = [digest(&SHA256, rp_id.as_bytes()).as_ref(), &[flags], &count.to_be_bytes()].concat();
        [&head[..], attested.unwrap_or_default()].concat()
    }

    /// `PublicKeyCredentialCreationOptionsJSON` into `RegistrationResponseJSON`.
    pub fn create(&mut self, options: &Value) -> Value {
        let asked = options["pubKeyCredParams"].as_array().unwrap();
        assert!(asked.iter().any(|one| one["alg"] == self.algorithm && one["type"] == "public-key"));
        let rp_id = options["rp"]["id"].as_str().unwrap().to_owned();
        let made = Made {
            id: random(),
            rp_id: rp_id.clone(),
            user_handle: bytes(&options["user"]["id"]),
            signer: Signer::new(self.algorithm),
        };
        let attested = [&[0; 16][..], &[0, 32], &made.id, &made.signer.cose()].concat();
        let data = self.data(&rp_id, Some(&attested));
        let client_data = self.client_data("webauthn.create", &options["challenge"]);
        let statement = if self.attests {
            let signature = made.signer.sign(&[&data[..], digest(&SHA256, &client_data).as_ref()].concat());
            assert_eq!(self.algorithm, -7);
            [b"\xa2\x63alg\x26\x63sig\x58".as_slice(), &[signature.len() as u8], &signature].concat()
        } else {
            vec![0xa0]
        };
        let format = if self.attests { b"\x66packed".as_slice() } else { b"\x64none" };
        let object = [
            b"\xa3\x63fmt".as_slice(),
            format,
            b"\x67attStmt",
            &statement,
            b"\x68authData\x59",
            &(data.len() as u16).to_be_bytes(),
            &data,
        ]
        .concat();
        let id = b64(&made.id);
        self.made.push(made);
        json!({
            "id": id, "rawId": id, "type": "public-key", "authenticatorAttachment": "platform",
            "response": {
                "clientDataJSON": b64(client_data), "attestationObject": b64(object), "transports": ["internal", "usb"],
            },
            "clientExtensionResults": {"credProps": {"rk": true}},
        })
    }

    /// `PublicKeyCredentialRequestOptionsJSON` into `AuthenticationResponseJSON`: with the newest that fits.
    pub fn get(&mut self, options: &Value) -> Value {
        let rp_id = options["rpId"].as_str().unwrap().to_owned();
        let allowed = options["allowCredentials"].as_array().cloned().unwrap_or_default();
        let fits = |made: &Made| {
            made.rp_id == rp_id && (allowed.is_empty() || allowed.iter().any(|one| one["id"] == b64(&made.id)))
        };
        let at = self.made.iter().rposition(fits).expect("a passkey that fits");
        self.get_with(at, options)
    }

    /// With the one that was made as the nth, whether it fits or not.
    pub fn get_with(&mut self, at: usize, options: &Value) -> Value {
        let rp_id = options["rpId"].as_str().unwrap().to_owned();
        let data = self.data(&rp_id, None);
        let client_data = self.client_data("webauthn.get", &options["challenge"]);
        let made = &self.made[at];
        let signature = made.signer.sign(&[&data[..], digest(&SHA256, &client_data).as_ref()].concat());
        let id = b64(&made.id);
        json!({
            "id": id, "rawId": id, "type": "public-key",
            "response": {
                "clientDataJSON": b64(client_data), "authenticatorData": b64(data), "signature": b64(signature),
                "userHandle": b64(&made.user_handle),
            },
            "clientExtensionResults": {},
        })
    }

    /// The user handle of the nth.
    pub fn handle(&self, at: usize) -> &[u8] {
        &self.made[at].user_handle
    }
}
