//! The drive: images in a folder, and what the machine sees.

use crate::house::{Fake, House, SIGNED_IN, options};
use hyper::Method;
use oriel_device::{DeviceOptions, Medium};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn house() -> (House, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let storage = Some(folder.path().to_owned());
    (House::start(Fake::default(), DeviceOptions { storage, ..options() }).await, folder)
}

async fn refused(house: &House, path: &str) -> String {
    let told = house.post(&format!("/api/msd/{path}")).await;
    let (status, name) = told.refused();
    assert_eq!(status, 400, "{path}: {name}");
    name
}

#[tokio::test]
async fn an_image_is_sent_shown_taken_away_and_removed() {
    let (house, folder) = house().await;
    let state = async || house.get("/api/msd").await.result();
    let now = state().await;
    assert_eq!((&now["enabled"], &now["online"], &now["busy"]), (&json!(true), &json!(true), &json!(false)));
    assert_eq!(now["drive"], json!({"image": null, "connected": false, "cdrom": true, "rw": false}));
    assert!(now["storage"]["parts"][""]["free"].as_u64().unwrap() > 0);

    let told = house.send(Method::POST, "/api/msd/write?image=my%20disk.iso", SIGNED_IN, vec![7; 100_000]).await;
    assert_eq!(told.result(), json!({"image": {"name": "my disk.iso", "size": 100_000, "written": 100_000}}));
    assert_eq!(std::fs::read(folder.path().join("my disk.iso")).unwrap(), vec![7; 100_000]);
    let image = state().await["storage"]["images"]["my disk.iso"].clone();
    assert_eq!(
        (&image["complete"], &image["size"], &image["removable"]),
        (&json!(true), &json!(100_000), &json!(true))
    );
    let again = house.send(Method::POST, "/api/msd/write?image=my%20disk.iso", SIGNED_IN, vec![7; 10]).await;
    assert_eq!(again.refused(), (400, "MsdImageExistsError".to_owned()));

    assert_eq!(refused(&house, "set_connected?connected=1").await, "MsdImageNotSelected");
    assert_eq!(refused(&house, "set_params?image=other.iso").await, "MsdUnknownImageError");
    assert_eq!(refused(&house, "set_params?image=https://example.com/x.iso").await, "MsdRemoteDisabledError");
    for name in ["..", ".hidden", "a/b", "%00", ""] {
        assert_eq!(refused(&house, &format!("remove?image={name}")).await, "ValidatorError", "{name}");
    }
    // A CD is never written to.
    house.post("/api/msd/set_params?image=my%20disk.iso&cdrom=1&rw=1").await.result();
    let drive = state().await["drive"].clone();
    assert_eq!(
        (&drive["image"]["name"], &drive["rw"], &drive["image"]["in_storage"]),
        (&json!("my disk.iso"), &json!(false), &json!(true))
    );
    house.post("/api/msd/set_params?cdrom=0&rw=1").await.result();
    house.post("/api/msd/set_connected?connected=1").await.result();
    let medium = Medium { file: folder.path().join("my disk.iso"), cdrom: false, writable: true };
    assert_eq!(*house.machine.media.lock().unwrap(), [Some(medium)]);
    for path in ["set_connected?connected=1", "set_params?image=", "remove?image=my%20disk.iso"] {
        assert_eq!(refused(&house, path).await, "MsdConnectedError", "{path}");
    }
    house.post("/api/msd/set_connected?connected=0").await.result();
    assert_eq!(refused(&house, "set_connected?connected=0").await, "MsdDisconnectedError");
    house.post("/api/msd/remove?image=my%20disk.iso").await.result();
    assert_eq!(refused(&house, "remove?image=my%20disk.iso").await, "MsdUnknownImageError");
    let now = state().await;
    assert_eq!((&now["drive"]["image"], &now["storage"]["images"]), (&Value::Null, &json!({})));
    assert_eq!(house.machine.media.lock().unwrap().last(), Some(&None));

    // What the machine does not take is not shown as taken.
    house.send(Method::POST, "/api/msd/write?image=b", SIGNED_IN, "x").await.result();
    house.post("/api/msd/set_params?image=b").await.result();
    *house.machine.broken.lock().unwrap() = Some("its port is gone".to_owned());
    assert_eq!(house.post("/api/msd/set_connected?connected=1").await.status, 500);
    assert_eq!(state().await["drive"]["connected"], false);
    house.post("/api/msd/reset").await.result();
    assert_eq!(state().await["drive"]["image"], Value::Null);
}

#[tokio::test]
async fn an_upload_that_is_cut_off_leaves_what_is_no_image() {
    let (house, folder) = house().await;
    let cut_off = async |query: &str| {
        let mut stream = TcpStream::connect(house.address).await.unwrap();
        let head = format!(
            "POST /api/msd/write?{query} HTTP/1.1\r\nHost: x\r\nX-KVMD-User: admin\r\nX-KVMD-Passwd: secret\r\nContent-Length: 1000\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&[7; 500]).await.unwrap();
        stream.flush().await.unwrap();
        while house.get("/api/msd").await.result()["storage"]["uploading"]["written"] != 500 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        // One at a time.
        assert_eq!(house.post("/api/msd/reset").await.refused(), (409, "MsdIsBusyError".to_owned()));
        drop(stream);
        while house.get("/api/msd").await.result()["busy"] == true {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    cut_off("image=part.iso").await;
    let image = async || {
        house.post("/api/msd/set_params?cdrom=1").await.result();
        house.get("/api/msd").await.result()["storage"]["images"]["part.iso"].clone()
    };
    assert_eq!(image().await["complete"], false);
    assert!(folder.path().join(".__part.iso.incomplete").exists());
    assert_eq!(refused(&house, "set_params?image=part.iso").await, "MsdUnknownImageError");
    house.post("/api/msd/remove?image=part.iso").await.result();
    assert_eq!(image().await, Value::Null);
    // Whole the second time.
    house.send(Method::POST, "/api/msd/write?image=part.iso", SIGNED_IN, vec![1; 1000]).await.result();
    assert_eq!(image().await["complete"], true);
    // A length is needed.
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    let head = "POST /api/msd/write?image=x HTTP/1.1\r\nHost: x\r\nX-KVMD-User: admin\r\nX-KVMD-Passwd: secret\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 400");
}

#[tokio::test]
async fn a_drive_for_cds_is_no_stick_and_its_storage_has_an_end() {
    let folder = tempfile::tempdir().unwrap();
    let options = DeviceOptions { storage: Some(folder.path().to_owned()), storage_bytes_max: 1000, ..options() };
    let house = House::start(Fake { only_cds: true, ..Fake::default() }, options).await;
    let write = async |name: &str, bytes: usize| {
        house.send(Method::POST, &format!("/api/msd/write?image={name}"), SIGNED_IN, vec![7; bytes]).await
    };
    write("a.iso", 600).await.result();
    let parts = house.get("/api/msd").await.result()["storage"]["parts"][""].clone();
    assert_eq!((&parts["size"], &parts["free"]), (&json!(1000), &json!(400)));
    assert_eq!(write("b.iso", 401).await.refused(), (507, "MsdError".to_owned()));
    write("b.iso", 400).await.result();

    // Refused as a whole: the image is not taken either.
    assert_eq!(refused(&house, "set_params?image=a.iso&cdrom=0").await, "MsdPermissionsError");
    assert_eq!(house.get("/api/msd").await.result()["drive"]["image"], Value::Null);
    house.post("/api/msd/set_params?image=a.iso&rw=1").await.result();
    house.post("/api/msd/set_connected?connected=1").await.result();
    let medium = Medium { file: folder.path().join("a.iso"), cdrom: true, writable: false };
    assert_eq!(*house.machine.media.lock().unwrap(), [Some(medium)]);
    // Taken out, and so is what was in before the device was there.
    for count in [2, 3] {
        house.post("/api/msd/reset").await.result();
        let media = house.machine.media.lock().unwrap().clone();
        assert_eq!((media.len(), media.last()), (count, Some(&None)));
    }
}

#[tokio::test]
async fn an_image_is_fetched_from_an_address() {
    let (closed, _folder) = house().await;
    let fetch = "/api/msd/write_remote?url=https://mirror.example/iso/debian.iso";
    assert_eq!(closed.post(fetch).await.refused(), (400, "MsdRemoteDisabledError".to_owned()));

    let folder = tempfile::tempdir().unwrap();
    let options = DeviceOptions { storage: Some(folder.path().to_owned()), ..options() };
    let house = House::start(Fake { remote: Some(vec![7_u8; 1000].into()), ..Fake::default() }, options).await;
    let told = house.post(fetch).await;
    assert_eq!((told.status.as_u16(), told.header("content-type")), (200, "application/x-ndjson"));
    let text = String::from_utf8(told.body.to_vec()).unwrap();
    let lines: Vec<Value> = text.split_terminator("\r\n").map(|line| serde_json::from_str(line).unwrap()).collect();
    let image = json!({"name": "debian.iso", "size": 1000, "written": 1000});
    assert_eq!(lines.last(), Some(&json!({"ok": true, "result": {"image": image}})));
    assert_eq!(std::fs::read(folder.path().join("debian.iso")).unwrap(), vec![7; 1000]);
    // It can be used at once.
    house.post("/api/msd/set_params?image=debian.iso").await.result();

    assert_eq!(house.post(fetch).await.refused(), (400, "MsdImageExistsError".to_owned()));
    let cut = house.post(&format!("{fetch}&image=cut.iso&insecure=1&remove_incomplete=1")).await;
    let text = String::from_utf8(cut.body.to_vec()).unwrap();
    let last: Value = serde_json::from_str(text.split_terminator("\r\n").last().unwrap()).unwrap();
    assert_eq!((&last["ok"], &last["result"]["error"]), (&json!(false), &json!("MsdOfflineError")));
    assert!(!folder.path().join(".__cut.iso.incomplete").exists());
    let nobody = house.post("/api/msd/write_remote?url=http://other.example/a.iso").await;
    assert_eq!(nobody.refused(), (503, "UnavailableError".to_owned()));
    for bad in ["", "ftp://mirror.example/a.iso", "mirror.example/a.iso", "https://mirror.example/"] {
        let refused = house.post(&format!("/api/msd/write_remote?url={bad}")).await.refused();
        assert_eq!(refused, (400, "ValidatorError".to_owned()), "{bad}");
    }
    assert_eq!(house.get("/api/msd").await.result()["busy"], false);
}
