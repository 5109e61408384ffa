/** Who has booked desktops of a pool, or of all pools, day by day or as a calendar. */
import { Button, ToggleGroup, ToggleGroupItem } from "@patternfly/react-core";
import { Table, Tbody, Td, Th, Thead, Tr } from "@patternfly/react-table";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { agenda, hoursWords, lostWords } from "../../booking";
import { Dialogue } from "../../parts/Dialogue";
import { Loaded } from "../../parts/Loaded";
import { ReasonButton } from "../../parts/ReasonButton";
import { poolBookingsQuery } from "../../queries";
import { Week } from "./Week";

interface Props {
  /** All that the reader may see when left out. */
  pool?: { id: string; name: string; desktops_max: number };
  /** Why the reader may not cancel any, or "". */
  locked: string;
  onClose: () => void;
}

export function Agenda({ pool, locked, onClose }: Props) {
  const bookings = useQuery(poolBookingsQuery(pool?.id));
  const [week, setWeek] = useState(!pool);
  const cancel = useAct({
    do: (booking: Schemas["Booking"]) =>
      answer(client.DELETE("/api/v1/bookings/{id}", { params: { path: { id: booking.id } } })),
    touches: ["bookings", "quota"],
    good: (_, booking) => `The booking of ${booking.person.name} is cancelled`,
    bad: (booking) => `The booking of ${booking.person.name} stands`,
  });
  return (
    <Dialogue
      title={`Bookings of ${pool?.name ?? "all pools"}`}
      about={
        pool
          ? `At most ${pool.desktops_max} can be booked for one moment: as many as the pool may hold.`
          : "Of each pool as many can be booked for one moment as it may hold."
      }
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
            <Week bookings={list} isOfAll={!pool} />
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
                      {!pool && <Th>Pool</Th>}
                      <Th>Who</Th>
                      <Th screenReaderText="What can be done" />
                    </Tr>
                  </Thead>
                  <Tbody>
                    {bookings.map((booking) => (
                      <Tr key={booking.id}>
                        <Td dataLabel="When">{hoursWords(booking)}</Td>
                        {!pool && <Td dataLabel="Pool">{booking.pool.name}</Td>}
                        <Td dataLabel="Who">
                          {booking.person.name}
                          {booking.priority > 0 && <div className="about">Priority {booking.priority}</div>}
                          {booking.displaced && <div className="about">{lostWords(booking)}</div>}
                        </Td>
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
