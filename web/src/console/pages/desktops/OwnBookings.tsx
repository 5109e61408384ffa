/** What the person has booked, and what they can book. Nothing where they may not and have not. */
import { Alert, Button, Flex, FlexItem } from "@patternfly/react-core";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { lostWords, spanWords } from "../../booking";

interface Props {
  of: Schemas["OwnBookings"];
  onBook: (pool: Schemas["BookablePool"]) => void;
}

/** One that lost its place keeps nothing that could be cancelled. */
const verb = (booking: Schemas["Booking"]) => (booking.displaced ? "Dismiss" : "Cancel");

export function OwnBookings({ of, onBook }: Props) {
  const cancel = useAct({
    do: (booking: Schemas["Booking"]) =>
      answer(client.DELETE("/api/v1/bookings/{id}", { params: { path: { id: booking.id } } })),
    touches: ["bookings", "quota"],
    good: (_, booking) =>
      booking.displaced ? "It is off the list" : `The booking of ${booking.pool.name} is cancelled`,
    bad: (booking) => `The booking of ${booking.pool.name} stands`,
  });
  if (of.bookings.length === 0 && of.pools.length === 0) return null;
  return (
    <section aria-labelledby="own-bookings" className="bookings">
      <h2 id="own-bookings">Bookings</h2>
      {of.bookings.length > 0 && (
        <ul aria-label="My bookings">
          {of.bookings.map((booking) => (
            <li key={booking.id}>
              <strong>{booking.pool.name}</strong> {spanWords(booking)}{" "}
              <Button
                variant="link"
                isInline
                isDisabled={cancel.isPending}
                onClick={() => cancel.mutate(booking)}
                aria-label={`${verb(booking)} the booking of ${booking.pool.name}, ${spanWords(booking)}`}
              >
                {verb(booking)}
              </Button>
              {booking.displaced && <Alert isInline isPlain variant="warning" title={lostWords(booking)} />}
            </li>
          ))}
        </ul>
      )}
      <Flex>
        {of.pools.map((one) => (
          <FlexItem key={one.pool.id}>
            <Button variant="secondary" onClick={() => onBook(one)}>
              Book a desktop of {one.pool.name}…
            </Button>
          </FlexItem>
        ))}
      </Flex>
    </section>
  );
}
