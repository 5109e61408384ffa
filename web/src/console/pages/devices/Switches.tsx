/** The device's own table of switches and inputs, as its own page has it. */
import { Flex, FlexItem, Label } from "@patternfly/react-core";
import { useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { Confirm } from "../../parts/Confirm";
import { ProblemAlert } from "../../parts/ProblemState";
import { ReasonButton } from "../../parts/ReasonButton";

type Turn = { channel: string; on: boolean | null; text: string };
type Output = Extract<Schemas["DeviceItem"], { kind: "output" }>;

interface Props {
  machine: { id: string; name: string };
  table: Schemas["Device"]["gpio"];
  /** Why this person moves none, or "". */
  locked: string;
}

export function Switches({ machine, table, locked }: Props) {
  const [sure, setSure] = useState<Turn | null>(null);
  const turn = useAct({
    do: ({ channel, on }: Turn) =>
      answer(
        client.POST("/api/v1/machines/{id}/device/switches/{channel}", {
          params: { path: { id: machine.id, channel } },
          body: { on },
        }),
      ),
    touches: ["device", "audit"],
    good: (_, { text }) => `${text}: done`,
  });
  const move = (item: Output, on: boolean | null, text: string) => {
    const to = { channel: item.channel.name, on, text };
    if (item.confirm) setSure(to);
    else turn.mutate(to);
  };
  // The same label may stand in several rows: only its place tells it.
  const rows = table
    .map((row, at) => ({ items: row.map((item, place) => ({ item, key: `${at} ${place}` })), key: `${at}` }))
    .filter(({ items }) => items.length > 0);

  return (
    <div className="stack">
      {rows.map(({ items, key }) => (
        <Flex key={key}>
          {items.map(({ item, key: cell }) => (
            <FlexItem key={cell}>
              {item.kind === "label" && item.text}
              {item.kind === "input" && (
                <Label color={item.channel.on ? "green" : "grey"}>{item.channel.on ? "on" : "off"}</Label>
              )}
              {item.kind === "output" && (
                <Moves item={item} locked={locked} busy={turn.isPending} move={move} />
              )}
            </FlexItem>
          ))}
        </Flex>
      ))}
      <ProblemAlert error={turn.error} />
      {sure && (
        <Confirm
          title={`${sure.text}: ${machine.name}?`}
          verb={sure.text}
          do={() => turn.mutateAsync(sure)}
          touches={["device"]}
          onClose={() => setSure(null)}
        >
          The device's own page asks before this switch is moved.
        </Confirm>
      )}
    </div>
  );
}

interface MovesProps {
  item: Output;
  locked: string;
  busy: boolean;
  move: (item: Output, on: boolean | null, text: string) => void;
}

function Moves({ item, locked, busy, move }: MovesProps) {
  const { channel } = item;
  const offline = channel.online ? "" : "Its driver does not answer";
  const reason = locked || offline || (channel.busy ? "It is being moved" : "");
  const turn = `${item.text}: turn ${channel.on ? "off" : "on"}`;
  const press = `${item.text}: press`;
  return (
    <>
      {channel.switches && (
        <ReasonButton
          variant="secondary"
          reason={reason}
          isDisabled={busy}
          onClick={() => move(item, !channel.on, turn)}
        >
          {turn}
        </ReasonButton>
      )}{" "}
      {channel.pulses && (
        <ReasonButton
          variant="secondary"
          reason={reason}
          isDisabled={busy}
          onClick={() => move(item, null, press)}
        >
          {press}
        </ReasonButton>
      )}
    </>
  );
}
