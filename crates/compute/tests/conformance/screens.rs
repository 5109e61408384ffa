//! What is spoken at a cloud's screens.

use crate::{stages::FakeCloud, suite::Stage};
use oriel_compute::{Compute, ScreenProtocol};
use oriel_machine::GuestIdentity;

#[tokio::test]
async fn a_screen_is_vnc_or_else_spice() {
    let cloud = FakeCloud::start().await;
    let host = &cloud.compute;
    let spec = cloud.spec("screen").await;
    host.write_seed(&spec, &GuestIdentity::generate(&spec.name, None).unwrap()).await.unwrap();
    while cloud.nova.state().guests.iter().any(|guest| guest.task.is_some()) {
        host.list().await.unwrap();
    }
    let row = crate::suite::row(&spec);
    assert_eq!(host.dial_screen(&row).await.unwrap().1, ScreenProtocol::Vnc);
    cloud.nova.state().spice_only = true;
    assert_eq!(host.dial_screen(&row).await.unwrap().1, ScreenProtocol::Spice);
}
