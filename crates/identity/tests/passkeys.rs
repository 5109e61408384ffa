//! Passkeys: the specification's own examples, an authenticator that lies in each way, and bytes of any kind.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets what it did not expect fails, loudly"
)]

mod authenticator;

use authenticator::{Authenticator, b64, bytes};
use data_encoding::HEXLOWER;
use oriel_identity::passkey::{
    Asserted, Credential, Expected, PASSKEY_ALGORITHMS, PasskeyError, Registered, RelyingParty, assert, register,
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn hex(text: &str) -> Vec<u8> {
    HEXLOWER.decode(text.as_bytes()).unwrap()
}

/// Web Authentication, level 3, section 16: what is registered, and what is asserted.
struct Example {
    challenge: &'static str,
    client_data: &'static str,
    attestation: &'static str,
    get_challenge: &'static str,
    get_client_data: &'static str,
    data: &'static str,
    signature: &'static str,
}

/// Section 16.2, "ES256 Credential with No Attestation".
const NONE: Example = Example {
    challenge: "00c30fb78531c464d2b6771dab8d7b603c01162f2fa486bea70f283ae556e130",
    client_data: "7b2274797065223a22776562617574686e2e637265617465222c226368616c6c656e6765223a22414d4d507434557878475453746e63647134313759447742466938767049612d7077386f4f755657345441222c226f726967696e223a2268747470733a2f2f6578616d706c652e6f7267222c2263726f73734f726967696e223a66616c73652c22657874726144617461223a22636c69656e74446174614a534f4e206d617920626520657874656e6465642077697468206164646974696f6e616c206669656c647320696e20746865206675747572652c207375636820617320746869733a20426b5165446a646354427258426941774a544c453551227d",
    attestation: "a363666d74646e6f6e656761747453746d74a068617574684461746158a4bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b559000000008446ccb9ab1db374750b2367ff6f3a1f0020f91f391db4c9b2fde0ea70189cba3fb63f579ba6122b33ad94ff3ec330084be4a5010203262001215820afefa16f97ca9b2d23eb86ccb64098d20db90856062eb249c33a9b672f26df61225820930a56b87a2fca66334b03458abf879717c12cc68ed73290af2e2664796b9220",
    get_challenge: "39c0e7521417ba54d43e8dc95174f423dee9bf3cd804ff6d65c857c9abf4d408",
    get_client_data: "7b2274797065223a22776562617574686e2e676574222c226368616c6c656e6765223a224f63446e55685158756c5455506f334a5558543049393770767a7a59425039745a63685879617630314167222c226f726967696e223a2268747470733a2f2f6578616d706c652e6f7267222c2263726f73734f726967696e223a66616c73657d",
    data: "bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b51900000000",
    signature: "3046022100f50a4e2e4409249c4a853ba361282f09841df4dd4547a13a87780218deffcd380221008480ac0f0b93538174f575bf11a1dd5d78c6e486013f937295ea13653e331e87",
};

/// Section 16.3, "ES256 Credential with Self Attestation".
const BY_ITSELF: Example = Example {
    challenge: "7869c2b772d4b58eba9378cf8f29e26cf935aa77df0da89fa99c0bdc0a76f7e5",
    client_data: "7b2274797065223a22776562617574686e2e637265617465222c226368616c6c656e6765223a2265476e4374334c55745936366b336a506a796e6962506b31716e666644616966715a774c33417032392d55222c226f726967696e223a2268747470733a2f2f6578616d706c652e6f7267222c2263726f73734f726967696e223a66616c73652c22657874726144617461223a22636c69656e74446174614a534f4e206d617920626520657874656e6465642077697468206164646974696f6e616c206669656c647320696e20746865206675747572652c207375636820617320746869733a205539685458764b453255526b4d6e625f307859485667227d",
    attestation: "a363666d74667061636b65646761747453746d74a263616c672663736967584630440220067a20754ab925005dbf378097c92120031581c73228d1fb4f5b881bcd7da98302207fc7b147558c7c0eba3af18bd9d121fa3d3a26d17fe3f220272178f473b6006d68617574684461746158a4bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b55d00000000df850e09db6afbdfab51697791506cfc0020455ef34e2043a87db3d4afeb39bbcb6cc32df9347c789a865ecdca129cbef58ca5010203262001215820eb151c8176b225cc651559fecf07af450fd85802046656b34c18f6cf193843c5225820927b8aa427a2be1b8834d233a2d34f61f13bfd44119c325d5896e183fee484f2",
    get_challenge: "4478a10b1352348dd160c1353b0d469b5db19eb91c27f7dfa6fed39fe26af20b",
    get_client_data: "7b2274797065223a22776562617574686e2e676574222c226368616c6c656e6765223a225248696843784e534e493352594d45314f7731476d3132786e726b634a5f6666707637546e2d4a71386773222c226f726967696e223a2268747470733a2f2f6578616d706c652e6f7267222c2263726f73734f726967696e223a66616c73652c22657874726144617461223a22636c69656e74446174614a534f4e206d617920626520657874656e6465642077697468206164646974696f6e616c206669656c647320696e20746865206675747572652c207375636820617320746869733a206754623533727a36456853576f6d58477a696d433151227d",
    data: "bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b50900000000",
    signature: "304402203310b9431903c401f1be2bdc8d23a4007682dbbddcf846994947b7f465daf84002204e94dd00047b316061b3b99772b7efd95994a83ef584b3b6b825ea3550251b66",
};

fn party() -> RelyingParty {
    RelyingParty::of_origin("https://example.org").unwrap()
}

fn registered(of: &Example) -> Registered {
    let party = party();
    let expected = Expected { party: &party, challenge: &b64(hex(of.challenge)), verified: false };
    register(&expected, &hex(of.client_data), &hex(of.attestation)).unwrap()
}

#[test]
fn the_specifications_examples_count() {
    let party = party();
    for of in [&NONE, &BY_ITSELF] {
        let made = registered(of);
        assert_eq!((made.sign_count, made.backup_eligible), (0, true));
        let challenge = b64(hex(of.get_challenge));
        let credential = Credential { public_key: &made.public_key, backup_eligible: true };
        let expected = Expected { party: &party, challenge: &challenge, verified: false };
        let (client_data, data, signature) = (hex(of.get_client_data), hex(of.data), hex(of.signature));
        let used = assert(&expected, &credential, &client_data, &data, &signature).unwrap();
        assert_eq!(used, Asserted { sign_count: 0, verified: false });
        // Neither asked for a finger.
        let strict = Expected { verified: true, ..expected };
        assert_eq!(assert(&strict, &credential, &client_data, &data, &signature), Err(PasskeyError::NotVerified));
        let other = Credential { backup_eligible: false, ..credential };
        assert_eq!(assert(&expected, &other, &client_data, &data, &signature), Err(PasskeyError::Backup));
    }
    assert!(!registered(&NONE).verified && registered(&BY_ITSELF).verified);
    assert_eq!(HEXLOWER.encode(&registered(&NONE).credential_id)[..8], *"f91f391d");
    // A statement that another key signed.
    let of_another = BY_ITSELF.attestation.replace("067a2075", "067a2076");
    let challenge = b64(hex(BY_ITSELF.challenge));
    let expected = Expected { party: &party, challenge: &challenge, verified: false };
    let refused = register(&expected, &hex(BY_ITSELF.client_data), &hex(&of_another));
    assert_eq!(refused, Err(PasskeyError::Signature));
}

/// Section 16.11, "Packed Attestation with Ed25519 Credential": its assertion.
#[test]
fn the_specifications_edwards_signature_counts() {
    let key = hex("a401010327200621582044e06ddd331c36a8dc667bab52bcae63486c916aa5e339e6acebaa84934bf832");
    let client_data = hex(
        "7b2274797065223a22776562617574686e2e676574222c226368616c6c656e6765223a2269566c583442786a4f6d6d44534b4c596f7870557439736e364d48454f7943413135726947514a6e763949222c226f726967696e223a2268747470733a2f2f6578616d706c652e6f7267222c2263726f73734f726967696e223a66616c73657d",
    );
    let data = hex("bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b50100000000");
    let mut signature = hex(
        "f5c59c7e46c34f6f8cc197101ddf9934fa2595f68eb1913a637e8419eb9ba4cfdfc48f85393bc0d40b011f0d6fecb097d6607525713223a0dc0d453993dae00b",
    );
    let party = party();
    let challenge = b64(hex("895957e01c633a698348a2d8a31a54b7db27e8c1c43b2080d79ae2190267bfd2"));
    let expected = Expected { party: &party, challenge: &challenge, verified: false };
    let credential = Credential { public_key: &key, backup_eligible: false };
    assert!(assert(&expected, &credential, &client_data, &data, &signature).is_ok());
    signature[63] ^= 1;
    assert_eq!(assert(&expected, &credential, &client_data, &data, &signature), Err(PasskeyError::Signature));
}

const ORIGIN: &str = "https://oriel.example:8470";

fn creation(challenge: &str) -> Value {
    let asked: Vec<_> = PASSKEY_ALGORITHMS.iter().map(|alg| json!({"type": "public-key", "alg": alg})).collect();
    json!({
        "challenge": challenge, "rp": {"id": "oriel.example", "name": "Oriel"}, "pubKeyCredParams": asked,
        "user": {"id": b64([7; 32]), "name": "ada", "displayName": "ada"},
    })
}

fn request(challenge: &str) -> Value {
    json!({"challenge": challenge, "rpId": "oriel.example", "allowCredentials": []})
}

fn try_register(of: &Value, expected: &Expected<'_>) -> Result<Registered, PasskeyError> {
    let response = &of["response"];
    register(expected, &bytes(&response["clientDataJSON"]), &bytes(&response["attestationObject"]))
}

fn try_assert(of: &Value, expected: &Expected<'_>, made: &Registered) -> Result<Asserted, PasskeyError> {
    let response = &of["response"];
    let credential = Credential { public_key: &made.public_key, backup_eligible: made.backup_eligible };
    let (client_data, data) = (bytes(&response["clientDataJSON"]), bytes(&response["authenticatorData"]));
    assert(expected, &credential, &client_data, &data, &bytes(&response["signature"]))
}

#[test]
fn each_algorithm_that_is_asked_for_works() {
    let party = RelyingParty::of_origin(ORIGIN).unwrap();
    for algorithm in PASSKEY_ALGORITHMS {
        for attests in [false, true].into_iter().filter(|attests| !attests || algorithm == -7) {
            let mut device = Authenticator::at(ORIGIN);
            device.algorithm = algorithm;
            device.attests = attests;
            let expected = Expected { party: &party, challenge: "one", verified: true };
            let made = try_register(&device.create(&creation("one")), &expected).unwrap();
            assert_eq!((made.sign_count, made.verified, made.backup_eligible), (1, true, false));
            let expected = Expected { challenge: "two", ..expected };
            let used = try_assert(&device.get(&request("two")), &expected, &made).unwrap();
            assert_eq!(used, Asserted { sign_count: 2, verified: true });
        }
    }
}

#[test]
fn what_is_not_of_this_question_this_page_or_this_key_does_not_count() {
    let party = RelyingParty::of_origin(ORIGIN).unwrap();
    let expected = Expected { party: &party, challenge: "one", verified: true };
    let mut device = Authenticator::at(ORIGIN);
    let made = try_register(&device.create(&creation("one")), &expected).unwrap();

    assert_eq!(try_assert(&device.get(&request("two")), &expected, &made), Err(PasskeyError::WrongChallenge));
    // An answer to the other question.
    let born = device.create(&creation("one"));
    let mixed = json!({"response": {
        "clientDataJSON": born["response"]["clientDataJSON"],
        "authenticatorData": device.get_with(0, &request("one"))["response"]["authenticatorData"],
        "signature": b64([0; 70]),
    }});
    assert_eq!(try_assert(&mixed, &expected, &made), Err(PasskeyError::WrongKind));
    // Another passkey's signature.
    let other = device.get_with(1, &request("one"));
    assert_eq!(try_assert(&other, &expected, &made), Err(PasskeyError::Signature));
    // Signed for something else than it says.
    let mut changed = device.get_with(0, &request("one"));
    let mut data = bytes(&changed["response"]["authenticatorData"]);
    data[36] ^= 0x40;
    changed["response"]["authenticatorData"] = json!(b64(&data));
    assert_eq!(try_assert(&changed, &expected, &made), Err(PasskeyError::Signature));
    // Something behind it, and less than there is.
    for wrong in [[&data[..], &[0]].concat(), data[..36].to_vec(), Vec::new()] {
        changed["response"]["authenticatorData"] = json!(b64(&wrong));
        assert!(matches!(try_assert(&changed, &expected, &made), Err(PasskeyError::Malformed { .. })));
    }

    type Lie = fn(&mut Authenticator);
    let lies: [(Lie, PasskeyError); 5] = [
        (
            |device| device.origin = "https://oriel.example".into(),
            PasskeyError::WrongOrigin { said: "https://oriel.example".into() },
        ),
        (|device| device.framed = true, PasskeyError::Framed),
        (|device| device.rp_id = Some("example".into()), PasskeyError::WrongRelyingParty),
        (|device| device.present = false, PasskeyError::NotPresent),
        (|device| device.verifies = false, PasskeyError::NotVerified),
    ];
    for (lie, refusal) in lies {
        let mut device = Authenticator::at(ORIGIN);
        let honest = try_register(&device.create(&creation("one")), &expected).unwrap();
        lie(&mut device);
        assert_eq!(try_register(&device.create(&creation("one")), &expected), Err(refusal.clone()));
        assert_eq!(try_assert(&device.get_with(0, &request("one")), &expected, &honest), Err(refusal));
    }

    // Attestation that nobody asked for.
    let mut object = bytes(&born["response"]["attestationObject"]);
    let at = object.windows(4).position(|four| four == b"none").unwrap();
    object[at..at + 4].copy_from_slice(b"nope");
    let strange = register(&expected, &bytes(&born["response"]["clientDataJSON"]), &object);
    assert_eq!(strange, Err(PasskeyError::Attestation { format: "nope".into() }));
}

proptest! {
    #[test]
    fn any_bytes_are_refused(client in proptest::collection::vec(any::<u8>(), 0..200), other in proptest::collection::vec(any::<u8>(), 0..200)) {
        let party = party();
        let expected = Expected { party: &party, challenge: "x", verified: false };
        prop_assert!(register(&expected, &client, &other).is_err());
        let key = registered(&NONE).public_key;
        let credential = Credential { public_key: &key, backup_eligible: true };
        prop_assert!(assert(&expected, &credential, &client, &other, &client).is_err());
    }

    /// One bit of what is right makes it wrong, and nothing worse: but for what no attestation guards.
    #[test]
    fn any_bit_counts(at in any::<prop::sample::Index>(), bit in 0..8_u8, of_data in any::<bool>()) {
        let party = party();
        let made = registered(&NONE);
        let challenge = b64(hex(NONE.get_challenge));
        let expected = Expected { party: &party, challenge: &challenge, verified: false };
        let credential = Credential { public_key: &made.public_key, backup_eligible: true };
        let (mut client, mut data) = (hex(NONE.get_client_data), hex(NONE.data));
        let which = if of_data { &mut data } else { &mut client };
        let at = at.index(which.len());
        which[at] ^= 1 << bit;
        prop_assert!(assert(&expected, &credential, &client, &data, &hex(NONE.signature)).is_err());
        let mut object = hex(NONE.attestation);
        let at = at % object.len();
        object[at] ^= 1 << bit;
        let challenge = b64(hex(NONE.challenge));
        let _ = register(&Expected { challenge: &challenge, ..expected }, &hex(NONE.client_data), &object);
    }

    #[test]
    fn cut_off_it_is_refused(at in any::<prop::sample::Index>()) {
        let party = party();
        let challenge = b64(hex(NONE.challenge));
        let expected = Expected { party: &party, challenge: &challenge, verified: false };
        let object = hex(NONE.attestation);
        let cut = &object[..at.index(object.len())];
        prop_assert!(register(&expected, &hex(NONE.client_data), cut).is_err());
    }
}
