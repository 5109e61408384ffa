/** Which versions of images a cloud has; brings another one there, and shows how far it is. */
import { Button, Progress, ProgressSize } from "@patternfly/react-core";
import { Table, Tbody, Td, Th, Thead, Tr } from "@patternfly/react-table";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { Dialogue } from "../../parts/Dialogue";
import { Choice, Field } from "../../parts/Field";
import { ProblemAlert } from "../../parts/ProblemState";
import { ReasonButton } from "../../parts/ReasonButton";
import { When } from "../../parts/When";
import { imagesQuery, operationsQuery } from "../../queries";
import { useWhyNot } from "../../shell/me";

export function CloudImages({ cloud, onClose }: { cloud: Schemas["Cloud"]; onClose: () => void }) {
  const images = useQuery(imagesQuery);
  const [chosen, setChosen] = useState("");
  const [remote, setRemote] = useState("");
  const locked = useWhyNot("clouds_write");
  const there = new Set(cloud.images.map((one) => one.image.id));
  const others = (images.data ?? [])
    .filter((image) => image.state === "ready" && !there.has(image.id))
    .sort((a, b) => a.name.localeCompare(b.name) || b.version - a.version);
  const image = others.find((one) => one.id === chosen) ?? others[0];
  const of = (id: string) => ({ params: { path: { id: cloud.id, image: id } } });
  const bring = useAct({
    do: async (id: string) => {
      if (remote.trim()) {
        const body = { remote: remote.trim() };
        await answer(client.PUT("/api/v1/clouds/{id}/images/{image}", { ...of(id), body }));
        return;
      }
      await answer(client.POST("/api/v1/clouds/{id}/images/{image}", of(id)));
    },
    touches: ["clouds", "operations"],
    after: () => setRemote(""),
  });
  const forget = useAct({
    do: (id: string) => answer(client.DELETE("/api/v1/clouds/{id}/images/{image}", of(id))),
    touches: ["clouds"],
  });

  return (
    <Dialogue
      title={`Images on ${cloud.name}`}
      about="Desktops there are made of these. A version that is there already is not sent again."
      variant="medium"
      stack
      onClose={onClose}
      buttons={
        <Button variant="primary" onClick={onClose}>
          Done
        </Button>
      }
    >
      <Uploads cloud={cloud} />
      {cloud.images.length === 0 ? (
        <p className="about">It has none of our images yet.</p>
      ) : (
        <Table aria-label={`Images on ${cloud.name}`} variant="compact">
          <Thead>
            <Tr>
              <Th modifier="nowrap">Image</Th>
              <Th modifier="nowrap">There it is</Th>
              <Th modifier="nowrap">Since</Th>
              <Th screenReaderText="Actions" />
            </Tr>
          </Thead>
          <Tbody>
            {cloud.images.map((one) => (
              <Tr key={one.image.id}>
                <Td dataLabel="Image">
                  {one.image.name} <span className="about">version {one.image.version}</span>
                </Td>
                <Td dataLabel="There it is" className="wrap">
                  <code>{one.remote}</code>
                </Td>
                <Td dataLabel="Since" modifier="nowrap">
                  <When at={one.created_at} />
                </Td>
                <Td className="row-button">
                  <ReasonButton
                    variant="link"
                    size="sm"
                    reason={locked}
                    onClick={() => forget.mutate(one.image.id)}
                    aria-label={`Forget ${one.image.name} version ${one.image.version}`}
                  >
                    Forget
                  </ReasonButton>
                </Td>
              </Tr>
            ))}
          </Tbody>
        </Table>
      )}
      {image && (
        <>
          <Choice
            label="Bring another"
            value={image.id}
            onChange={setChosen}
            options={others.map((one) => [one.id, `${one.name}, version ${one.version}`] as const)}
          />
          <Field
            label="Its id there"
            value={remote}
            onChange={setRemote}
            help="Empty to upload it; where you have brought it there yourself, the id that `openstack image list` shows"
          />
          <div>
            <ReasonButton
              variant="secondary"
              reason={locked}
              isLoading={bring.isPending}
              onClick={() => bring.mutate(image.id)}
            >
              {remote.trim() ? "Say that it is there" : "Upload"}
            </ReasonButton>
          </div>
        </>
      )}
      <ProblemAlert error={bring.error ?? forget.error} />
    </Dialogue>
  );
}

/** What is on its way to this cloud; when one ends, the clouds are read again. */
export function Uploads({ cloud }: { cloud: Schemas["Cloud"] }) {
  const operations = useQuery(operationsQuery);
  const queries = useQueryClient();
  const mine = (operations.data ?? []).filter(
    (one) =>
      one.kind === "image_upload" &&
      one.title.endsWith(` to ${cloud.name}`) &&
      (one.state === "running" || one.state === "queued"),
  );
  const ids = mine.map((one) => one.id).join();
  // biome-ignore lint/correctness/useExhaustiveDependencies: the set of uploads is what it waits for
  useEffect(() => {
    void queries.invalidateQueries({ queryKey: ["clouds"] });
  }, [ids, queries]);
  if (mine.length === 0) return null;
  return (
    <ul className="making" aria-label={`On the way to ${cloud.name}`}>
      {mine.map((one) => (
        <li key={one.id}>
          {one.title}
          <Progress
            value={Math.round(one.progress * 100)}
            helperText={one.step || "Waiting for its turn"}
            aria-label={`Progress of ${one.title}`}
            size={ProgressSize.sm}
          />
        </li>
      ))}
    </ul>
  );
}
