use crate::{on_both, samples::NOW};
use oriel_model::{SYSLOG_ENTERPRISE, Subscription, Syslog, SyslogFacility, SyslogId};
use oriel_store::StoreError;

fn receiver(target: &str) -> Syslog {
    Syslog {
        id: SyslogId::new(),
        target: target.parse().unwrap(),
        facility: SyslogFacility::AUTHPRIV,
        app_name: "oriel".to_owned(),
        enterprise: SYSLOG_ENTERPRISE,
        ca: Some("-----BEGIN CERTIFICATE-----".to_owned()),
        subscription: Subscription::from_now(vec!["delete_*".to_owned()], 7),
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

        let mut failed = first;
        failed.subscription = Subscription { failures: 3, next_try: NOW, last_error: Some("it hung up".into()), lost: 2, ..failed.subscription };
        store.set_syslog_progress(&failed).await.unwrap();
        let mut further = failed.clone();
        further.subscription = Subscription { delivered: 9, failures: 0, last_error: None, ..further.subscription };
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
