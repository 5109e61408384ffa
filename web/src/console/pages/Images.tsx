/** Golden disks: their versions, where they came from, and how to get one. */
import {
  EmptyState,
  EmptyStateActions,
  EmptyStateBody,
  EmptyStateFooter,
  Label,
  Progress,
  ProgressSize,
} from "@patternfly/react-core";
import HddIcon from "@patternfly/react-icons/dist/esm/icons/hdd-icon";
import { Table, Tbody, Td, Th, Thead, Tr } from "@patternfly/react-table";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { answer, client, type Schemas } from "../../api/client";
import { Confirm } from "../parts/Confirm";
import { Loaded } from "../parts/Loaded";
import { Only } from "../parts/Only";
import { ReasonButton } from "../parts/ReasonButton";
import { RowActions } from "../parts/Row";
import { When } from "../parts/When";
import { imagesQuery, operationsQuery } from "../queries";
import { useWhyNot } from "../shell/me";
import { PageHead } from "../shell/PageHead";
import { bytes, count } from "../words";
import { BuildImage } from "./images/BuildImage";
import { ImportImage } from "./images/ImportImage";

type Image = Schemas["Image"];

export function Images() {
  return (
    <Only to="images_read" title="Images">
      <Inside />
    </Only>
  );
}

function Inside() {
  const images = useQuery(imagesQuery);
  const [dialogue, setDialogue] = useState<"build" | "import" | null>(null);
  const [doomed, setDoomed] = useState<Image | null>(null);
  const close = () => setDialogue(null);
  const locked = useWhyNot("images_write");
  const buttons = (
    <>
      <ReasonButton variant="primary" reason={locked} onClick={() => setDialogue("build")}>
        Build from a recipe
      </ReasonButton>
      <ReasonButton variant="secondary" reason={locked} onClick={() => setDialogue("import")}>
        Import
      </ReasonButton>
    </>
  );

  return (
    <>
      <PageHead title="Images" about="The golden disks that desktops are cloned from." actions={buttons} />
      <Loaded query={images}>
        {(list) => (
          <>
            <InTheMaking />
            {list.length === 0 ? (
              <EmptyState icon={HddIcon} titleText="No images yet" headingLevel="h2">
                <EmptyStateBody>
                  Build one from a recipe: packages are fetched, installed and checked, which takes some
                  minutes. Or import a disk that you have: qcow2, raw, or a cloud image.
                </EmptyStateBody>
                <EmptyStateFooter>
                  <EmptyStateActions>{buttons}</EmptyStateActions>
                </EmptyStateFooter>
              </EmptyState>
            ) : (
              <Table aria-label="Images" variant="compact">
                <Thead>
                  <Tr>
                    <Th modifier="nowrap">Name</Th>
                    <Th modifier="nowrap">Version</Th>
                    <Th modifier="nowrap">Size</Th>
                    <Th modifier="nowrap">From</Th>
                    <Th modifier="nowrap">Desktops</Th>
                    <Th modifier="nowrap">Made</Th>
                    <Th screenReaderText="Actions" />
                  </Tr>
                </Thead>
                <Tbody>
                  {[...list].sort(byName).map((image) => (
                    <Tr key={image.id}>
                      <Td dataLabel="Name" modifier="nowrap">
                        <strong>{image.name}</strong> <span className="about">{OS[image.os]}</span>
                      </Td>
                      <Td dataLabel="Version">
                        {image.version}{" "}
                        {image.state === "retired" && (
                          <Label isCompact color="orange">
                            Retired
                          </Label>
                        )}
                      </Td>
                      <Td dataLabel="Size">
                        {bytes(image.file_bytes)}{" "}
                        <span className="about">of {bytes(image.virtual_bytes)}</span>
                      </Td>
                      <Td dataLabel="From" className="from">
                        <From image={image} />
                      </Td>
                      <Td dataLabel="Desktops">
                        {image.desktops}
                        {usesOf(image) && <div className="about">{usesOf(image)}</div>}
                      </Td>
                      <Td dataLabel="Made" modifier="nowrap">
                        <When at={image.created_at} />
                      </Td>
                      <Td isActionCell>
                        <RowActions
                          of={`${image.name} version ${image.version}`}
                          actions={[
                            {
                              text: "Delete…",
                              danger: true,
                              reason: locked || heldBy(image),
                              act: () => setDoomed(image),
                            },
                          ]}
                        />
                      </Td>
                    </Tr>
                  ))}
                </Tbody>
              </Table>
            )}
          </>
        )}
      </Loaded>
      {dialogue === "build" && <BuildImage onClose={close} />}
      {dialogue === "import" && <ImportImage onClose={close} />}
      {doomed && (
        <Confirm
          title={`Delete ${doomed.name} version ${doomed.version}?`}
          verb="Delete image"
          do={() => answer(client.DELETE("/api/v1/images/{id}", { params: { path: { id: doomed.id } } }))}
          touches={["images"]}
          good={() => `${doomed.name} version ${doomed.version} was deleted`}
          onClose={() => setDoomed(null)}
        >
          <p>
            <strong>{bytes(doomed.file_bytes)} on disk are freed and the image is gone</strong>; to have it
            again it must be {MADE[doomed.source.kind]} again. No desktop depends on it.
          </p>
        </Confirm>
      )}
    </>
  );
}

const names = (pools: ReadonlyArray<Schemas["Named"]>) => pools.map((pool) => pool.name).join(", ");

/** Pools that go by this version. */
function usesOf(image: Image): string {
  const parts = [
    image.pools.length > 0 ? `new ones of ${names(image.pools)}` : "",
    image.rollouts.length > 0 ? `kept for roll-outs of ${names(image.rollouts)}` : "",
  ];
  return parts.filter(Boolean).join(", ");
}

/** Why it cannot be deleted. */
function heldBy(image: Image): string {
  if (image.desktops > 0) return `${count(image.desktops, "desktop")} depend on its disk`;
  if (image.pools.length > 0) return `${names(image.pools)} makes its desktops from it`;
  if (image.rollouts.length > 0) return `${names(image.rollouts)} may go back to it`;
  return "";
}

const MADE = { built: "built", imported: "imported", captured: "made from a desktop" } as const;
const OS = { linux: "Linux", windows: "Windows", other: "Other" } as const;

function byName(a: Image, b: Image) {
  return a.name.localeCompare(b.name) || b.version - a.version;
}

function From({ image }: { image: Image }) {
  const sum = (
    <code className="sum" title={`SHA-256 ${image.sha256}`}>
      {image.sha256.slice(0, 12)}
    </code>
  );
  if (image.source.kind === "built") {
    return (
      <>
        Recipe {image.source.recipe}, {count(image.source.packages, "package")} {sum}
      </>
    );
  }
  if (image.source.kind === "captured") {
    return (
      <>
        Desktop {image.source.desktop} of {image.source.of} {sum}
      </>
    );
  }
  return (
    <>
      <span className="path" title={image.source.from}>
        {image.source.from}
      </span>{" "}
      {sum}
    </>
  );
}

/** Builds and imports that are on their way; when one ends, the list is read again. */
function InTheMaking() {
  const operations = useQuery(operationsQuery);
  const queries = useQueryClient();
  const running = (operations.data ?? []).filter((o) => o.state === "running" || o.state === "queued");
  const ids = running.map((o) => o.id).join();
  // biome-ignore lint/correctness/useExhaustiveDependencies: the set of running operations is what it waits for
  useEffect(() => {
    void queries.invalidateQueries({ queryKey: imagesQuery.queryKey });
  }, [ids, queries]);
  if (running.length === 0) return null;
  return (
    <ul className="making" aria-label="Images in the making">
      {running.map((o) => (
        <li key={o.id}>
          <Link to="/operations" search={{ id: o.id }}>
            {o.title}
          </Link>
          <Progress
            value={Math.round(o.progress * 100)}
            helperText={o.step || "Waiting for its turn"}
            aria-label={`Progress of ${o.title}`}
            size={ProgressSize.sm}
          />
        </li>
      ))}
    </ul>
  );
}
