use crate::{
    on_both,
    samples::{desktop, pool, stored_pool, stored_user},
};
use oriel_model::{Desktop, DesktopState, External, MachineParameters, MachineProtocol, Pool, PoolId, PoolKind, Role};
use oriel_store::{Store, StoreError};
use sea_orm::{ConnectionTrait, Database};

fn external(host: &str) -> External {
    External {
        protocol: MachineProtocol::Ssh,
        host: host.to_owned(),
        port: 2222,
        user: Some("root".to_owned()),
        parameters: MachineParameters { locale: Some("de_DE.UTF-8".to_owned()), ..MachineParameters::default() },
        identity: Some("ssh-ed25519 AAAA".to_owned()),
        has_password: true,
        has_private_key: false,
        has_totp: false,
        has_gateway_password: false,
    }
}

fn machine(name: &str, pool: PoolId) -> Desktop {
    Desktop { external: Some(external("gate.example")), state: DesktopState::Unreachable, ..desktop(name, pool) }
}

/// A pool without an image.
async fn stored_external(store: &Store, name: &str) -> Pool {
    let virtual_pool = pool(name, oriel_model::ImageId::new());
    let made = Pool { kind: PoolKind::External, image: None, gpu: None, ..virtual_pool };
    store.create_pool(&made).await.unwrap();
    made
}

on_both! {
    async fn come_back_as_they_went(store: Store) {
        let office = stored_external(&store, "office").await;
        assert_eq!(store.pool(office.id).await.unwrap(), Some(office.clone()));
        let gate = machine("gate", office.id);
        store.create_desktop_with(&gate, Some("sealed")).await.unwrap();
        assert_eq!(store.desktop(gate.id).await.unwrap(), Some(gate.clone()));
        assert_eq!(store.secret(gate.id).await.unwrap().as_deref(), Some("sealed"));
        let moved = store
            .modify_desktop_with(gate.id, "sealed anew", |row| row.external = Some(external("door.example")))
            .await
            .unwrap();
        assert_eq!(moved.external, Some(external("door.example")));
        assert_eq!(store.secret(gate.id).await.unwrap().as_deref(), Some("sealed anew"));
        store.delete_desktop(gate.id).await.unwrap();
        assert_eq!(store.secret(gate.id).await.unwrap(), None);
        // At a port of a device's Switch.
        let text = |text: &str| Some(text.to_owned());
        let parameters =
            MachineParameters { behind: text("kvm"), switch_port: text("2.1"), ..MachineParameters::default() };
        let at = External { protocol: MachineProtocol::Pikvm, parameters, ..external("kvm.example") };
        let port = Desktop { external: Some(at), ..machine("mail", office.id) };
        store.create_desktop_with(&port, None).await.unwrap();
        let back = store.desktop(port.id).await.unwrap().unwrap().external.unwrap();
        assert_eq!(back.behind().map(|(device, port)| (device, port.index())), Some(("kvm", 4)));
    }

    async fn a_refused_machine_leaves_no_secret(store: Store) {
        let office = stored_external(&store, "office").await;
        store.create_desktop_with(&machine("gate", office.id), Some("sealed")).await.unwrap();
        let again = machine("gate", office.id);
        let refused = store.create_desktop_with(&again, Some("sealed")).await;
        assert!(matches!(refused, Err(StoreError::Taken { .. })));
        assert_eq!(store.secret(again.id).await.unwrap(), None);
    }

    async fn are_for_everybody_whom_their_pool_allows(store: Store) {
        let (office, lab, studio) =
            (stored_external(&store, "office").await, stored_external(&store, "lab").await, stored_pool(&store).await);
        let ada = stored_user(&store, "ada", Role::User).await;
        let bob = stored_user(&store, "bob", Role::User).await;
        for machine in [
            machine("gate", office.id),
            Desktop { owner: Some(bob.id), ..machine("of-bob", office.id) },
            machine("hidden", lab.id),
            // Somebody's desktop to be, not a machine: nobody opens it before it has an owner.
            desktop("studio-1", studio.id),
            Desktop { owner: Some(ada.id), ..desktop("studio-2", studio.id) },
        ] {
            store.create_desktop(&machine).await.unwrap();
        }
        for pool in [office.id, studio.id] {
            store.entitle(pool, ada.id).await.unwrap();
        }
        let names = async |user| -> Vec<String> {
            store.desktops_for(user).await.unwrap().iter().map(|desktop| desktop.name.to_string()).collect()
        };
        assert_eq!(names(ada.id).await, ["gate", "studio-2"]);
        assert_eq!(names(bob.id).await, ["of-bob"]);
        store.unentitle(office.id, ada.id).await.unwrap();
        assert_eq!(names(ada.id).await, ["studio-2"]);
    }

    async fn what_was_there_before_them_stays(_store: Store, url: String) {
        let url = if url.starts_with("postgres") { url } else { format!("sqlite:{url}") };
        let raw = Database::connect(&url).await.unwrap();
        // Back to the schema before, with a pool and its desktop in it.
        for table in [
            "seal_program", "personal_disk_hold", "personal_disk", "history", "syslog", "booking", "rollout", "webhook", "attendance", "quota", "passkey", "cloud_image", "pool_cloud", "cloud", "presence", "provider_sign_in", "provider_person", "provider", "directory_person", "directory", "remembered_device", "recovery_code", "totp", "lease", "recording_export", "audit", "audit_head", "pool_admin", "pool_group", "user_group_member", "user_group", "recording", "gpu_claim_slot", "gpu_claim", "gpu_card", "setting", "operation", "ticket", "host_place", "app", "desktop_secret", "desktop",
            "pool_user", "pool", "image", "image_line", "api_token", "web_session", "users",
        ] {
            raw.execute_unprepared(&format!("DROP TABLE {table}")).await.unwrap();
        }
        raw.execute_unprepared("DELETE FROM seaql_migrations WHERE version >= 'm0003'").await.unwrap();
        for step in [include_str!("../../src/m0001_ground.sql"), include_str!("../../src/m0002_gpu.sql")] {
            raw.execute_unprepared(step).await.unwrap();
        }
        let (image, pool, desktop) = (oriel_model::ImageId::new(), PoolId::new(), oriel_model::DesktopId::new());
        for insert in [
            "INSERT INTO image_line VALUES ('debian', 1)".to_owned(),
            format!("INSERT INTO image VALUES ('{image}', 'debian', 1, 'ready', 'linux', '{{}}', 'ab', 1, 1, 1)"),
            format!("INSERT INTO pool VALUES ('{pool}', 'studio', '{image}', 2, 2048, 20, '{{\"kind\":\"user\"}}', 5, 'us', 1, NULL)"),
            format!("INSERT INTO desktop VALUES ('{desktop}', 'studio-1', '{pool}', NULL, '{image}', 'running', 'ready', NULL, NULL, 1, NULL, NULL, '{{}}', 1, 1)"),
        ] {
            raw.execute_unprepared(&insert).await.unwrap();
        }
        let store = Store::open(url.trim_start_matches("sqlite:")).await.unwrap();
        let found = store.pool(pool).await.unwrap().unwrap();
        assert_eq!((found.kind, found.image, found.vcpus), (PoolKind::Dedicated, Some(image), 2));
        assert_eq!(store.desktop(desktop).await.unwrap().unwrap().external, None);
        // The image is still held by its pool.
        store.delete_desktop(desktop).await.unwrap();
        assert!(matches!(store.delete_image(image).await, Err(StoreError::InUse { .. })));
        store.delete_pool(pool).await.unwrap();
        store.delete_image(image).await.unwrap();
        store.close().await.unwrap();
    }
}
