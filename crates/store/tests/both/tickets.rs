use crate::{
    at_once, on_both,
    samples::{NOW, stored_desktop, stored_user, ticket},
};
use oriel_model::{ConnectionId, DesktopId, GuestPort, Role, Ticket};
use oriel_store::{Store, StoreError, TICKETS_PER_SESSION_MAX, TicketRefusal};

async fn stored_ticket(store: &Store) -> Ticket {
    let desktop = stored_desktop(store).await;
    let user = stored_user(store, "ada", Role::User).await;
    let ticket = Ticket { resume: Some(ConnectionId::new()), port: GuestPort::Console, ..ticket(user.id, desktop.id) };
    store.put_ticket(&ticket, "here").await.unwrap();
    ticket
}

on_both! {
    async fn let_in_once(store: Store) {
        let given = stored_ticket(&store).await;
        let (ticket, session) = (&given.ticket_sha256, &given.session_sha256);
        assert_eq!(store.take_ticket(ticket, session, NOW).await.unwrap(), given);
        assert!(matches!(store.take_ticket(ticket, session, NOW).await, Err(TicketRefusal::Used)));
        assert!(matches!(store.take_ticket("guessed", session, NOW).await, Err(TicketRefusal::Unknown)));
    }

    async fn one_session_does_not_hoard_them(store: Store) {
        let first = stored_ticket(&store).await;
        for n in 1..=TICKETS_PER_SESSION_MAX as i64 {
            let ticket = Ticket { ticket_sha256: format!("t{n}"), expires: first.expires.plus_seconds(n), ..first.clone() };
            store.put_ticket(&ticket, "here").await.unwrap();
        }
        let oldest = store.take_ticket(&first.ticket_sha256, &first.session_sha256, NOW).await;
        assert!(matches!(oldest, Err(TicketRefusal::Unknown)));
        assert!(store.take_ticket("t1", &first.session_sha256, NOW).await.is_ok());
    }

    async fn fifty_takers_have_one_winner(store: Store) {
        let given = stored_ticket(&store).await;
        let said = at_once(50, |_| {
            let (store, given) = (store.clone(), given.clone());
            async move { store.take_ticket(&given.ticket_sha256, &given.session_sha256, NOW).await }
        })
        .await;
        assert_eq!(said.iter().filter(|one| one.is_ok()).count(), 1);
        assert_eq!(said.iter().filter(|one| matches!(one, Err(TicketRefusal::Used))).count(), 49);
    }

    async fn one_of_two_programs_gives_the_only_seat(store: Store) {
        let device = stored_desktop(&store).await;
        let mut people = Vec::new();
        for name in ["ada", "bob"] {
            people.push(stored_user(&store, name, Role::User).await.id);
        }
        let wanted = |n: usize, person| Ticket {
            ticket_sha256: format!("t{n}"),
            // Long after now.
            expires: oriel_model::Micros(i64::MAX / 4),
            ..ticket(person, device.id)
        };
        let tickets = [wanted(0, people[0]), wanted(1, people[1])];
        let given = at_once(2, |n| {
            let (store, ticket, id) = (store.clone(), tickets[n].clone(), device.id);
            async move {
                let seat = std::collections::BTreeSet::from([id]);
                store.put_ticket_at(&ticket, ["here", "there"][n], Some((id, &seat))).await.unwrap()
            }
        })
        .await;
        assert_eq!(given.iter().filter(|given| **given).count(), 1, "{given:?}");
        // Who has it may ask again, through whichever; who has not, has no ticket.
        let winner = usize::from(given[1]);
        let seat = std::collections::BTreeSet::from([device.id]);
        let again = wanted(2, people[winner]);
        assert!(store.put_ticket_at(&again, "third", Some((device.id, &seat))).await.unwrap());
        let (loser, session) = (format!("t{}", 1 - winner), &tickets[0].session_sha256);
        assert!(matches!(store.take_ticket(&loser, session, NOW).await, Err(TicketRefusal::Unknown)));
    }

    async fn expire(store: Store) {
        let given = stored_ticket(&store).await;
        let (ticket, session) = (&given.ticket_sha256, &given.session_sha256);
        for _ in 0..2 {
            let late = store.take_ticket(ticket, session, given.expires).await;
            assert!(matches!(late, Err(TicketRefusal::Expired)));
        }
        // A clock that goes back does not bring it back.
        assert!(matches!(store.take_ticket(ticket, session, NOW).await, Err(TicketRefusal::Used)));
        store.delete_expired(given.expires).await.unwrap();
        assert!(matches!(store.take_ticket(ticket, session, NOW).await, Err(TicketRefusal::Unknown)));
    }

    async fn a_stolen_one_is_burnt(store: Store) {
        let given = stored_ticket(&store).await;
        let ticket = &given.ticket_sha256;
        assert!(matches!(store.take_ticket(ticket, "thief", NOW).await, Err(TicketRefusal::NotYours)));
        assert!(matches!(store.take_ticket(ticket, &given.session_sha256, NOW).await, Err(TicketRefusal::Used)));
    }

    async fn go_with_their_desktop(store: Store) {
        let given = stored_ticket(&store).await;
        store.delete_desktop(given.desktop).await.unwrap();
        let taken = store.take_ticket(&given.ticket_sha256, &given.session_sha256, NOW).await;
        assert!(matches!(taken, Err(TicketRefusal::Unknown)));
        let nowhere = Ticket { desktop: DesktopId::new(), ..given };
        assert!(matches!(store.put_ticket(&nowhere, "here").await, Err(StoreError::Missing { what: "desktop", .. })));
    }
}
