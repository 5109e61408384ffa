use crate::{on_both, samples::NOW};
use oriel_model::{Micros, SYSLOG_ENTERPRISE, Syslog, SyslogFacility, SyslogId};
use oriel_store::StoreError;

fn receiver(target: &str) -> Syslog {
    Syslog {
        id: SyslogId::new(),
        target: target.parse().unwrap(),
        facility: SyslogFacility::AUTHPRIV,
        app_name: "oriel".to_owned(),
        enterprise: SYSLOG_ENTERPRISE,
        ca: Some("-----BEGIN CERTIFICATE-----".to_owned()),
        events: vec!["delete_*".to_owned()],
        delivered: 7,
        failures: 0,
        next_try: Micros(0),
        last_error: None,
        lost: 0,
        created: NOW,
    }
}

on_both! {
    async fn know_how_far_they_are(store: Store) {
        let (first, second) = (receiver("tls://log.example"), receiver("udp://[2001:db8::7]:514"));
        store.create_syslog(&first).await.unwrap();
        store.create_syslog(&second).await.unwrap();
        let again = store.create_syslog(&receiver("tls://log.example:6514")).await;
        assert!(matches!(again, Err(StoreError::Taken { .. })), "{again:?}");
        assert_eq!(store.syslogs().await.unwrap(), [first.clone(), second.clone()]);

        let failed = Syslog { failures: 3, next_try: NOW, last_error: Some("it hung up".into()), lost: 2, ..first };
        store.set_syslog_progress(&failed).await.unwrap();
        let further = Syslog { delivered: 9, failures: 0, last_error: None, ..failed.clone() };
        store.set_syslog_progress(&further).await.unwrap();
        // Whoever comes late takes nothing back.
        store.set_syslog_progress(&failed).await.unwrap();
        assert_eq!(store.syslogs().await.unwrap(), [further.clone(), second.clone()]);

        store.delete_syslog(further.id).await.unwrap();
        store.set_syslog_progress(&further).await.unwrap();
        assert!(matches!(store.delete_syslog(further.id).await, Err(StoreError::Missing { .. })));
        assert_eq!(store.syslogs().await.unwrap(), [second]);
    }
}
