/** Who has booked desktops of a pool, day by day. */
import { Button, ToggleGroup, ToggleGroupItem } from "@patternfly/react-core";
import { Table, Tbody, Td, Th, Thead, Tr } from "@patternfly/react-table";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { agenda, hoursWords } from "../../booking";
import { Dialogue } from "../../parts/Dialogue";
import { Loaded } from "../../parts/Loaded";
import { ReasonButton } from "../../parts/ReasonButton";
import { poolBookingsQuery } from "../../queries";
import { Week } from "./Week";

interface Props {
  pool: { id: string; name: string; desktops_max: number };
  /** Why the reader may not cancel any, or "". */
  locked: string;
  onClose: () => void;
}

export function Agenda({ pool, locked, onClose }: Props) {
  const bookings = useQuery(poolBookingsQuery(pool.id));
  const [week, setWeek] = useState(false);
  const cancel = useAct({
    do: (booking: Schemas["Booking"]) =>
      answer(client.DELETE("/api/v1/bookings/{id}", { params: { path: { id: booking.id } } })),
    touches: ["bookings", "quota"],
    good: (_, booking) => `The booking of ${booking.person.name} is cancelled`,
    bad: (booking) => `The booking of ${booking.person.name} stands`,
  });
  return (
    <Dialogue
      title={`Bookings of ${pool.name}`}
      about={`At most ${pool.desktops_max} can be booked for one moment: as many as the pool may hold.`}
      variant={week ? "large" : "medium"}
      stack
      onClose={onClose}
      buttons={<Button onClick={onClose}>Close</Button>}
    >
      <ToggleGroup aria-label="How bookings are shown">
        <ToggleGroupItem text="List" isSelected={!week} onChange={() => setWeek(false)} />
        <ToggleGroupItem text="Week" isSelected={week} onChange={() => setWeek(true)} />
      </ToggleGroup>
      <Loaded query={bookings} skeleton={null}>
        {(list) =>
          week ? (
            <Week bookings={list} />
          ) : list.length === 0 ? (
            <p>
              Nothing is booked. A quota of the pool, of a group or of a person says who may book how much.
            </p>
          ) : (
            agenda(list).map(({ day, bookings }) => (
              <section key={day}>
                <h3>{day}</h3>
                <Table variant="compact" aria-label={`Bookings of ${day}`}>
                  <Thead>
                    <Tr>
                      <Th>When</Th>
                      <Th>Who</Th>
                      <Th screenReaderText="What can be done" />
                    </Tr>
                  </Thead>
                  <Tbody>
                    {bookings.map((booking) => (
                      <Tr key={booking.id}>
                        <Td dataLabel="When">{hoursWords(booking)}</Td>
                        <Td dataLabel="Who">{booking.person.name}</Td>
                        <Td isActionCell>
                          <ReasonButton
                            variant="link"
                            reason={locked || (cancel.isPending ? "On its way" : "")}
                            onClick={() => cancel.mutate(booking)}
                            aria-label={`Cancel the booking of ${booking.person.name}, ${hoursWords(booking)}`}
                          >
                            Cancel
                          </ReasonButton>
                        </Td>
                      </Tr>
                    ))}
                  </Tbody>
                </Table>
              </section>
            ))
          )
        }
      </Loaded>
    </Dialogue>
  );
}
