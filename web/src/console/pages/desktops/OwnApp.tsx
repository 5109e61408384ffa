/** A program that pools publish: opened by itself, on what the person has of its pool or is given now. */
import { Card, CardBody, CardFooter, CardTitle } from "@patternfly/react-core";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { ReasonButton } from "../../parts/ReasonButton";
import { appHref } from "../../parts/viewer";
import { AppIcon } from "../pools/AppIcon";
import { ownIconHref } from "../pools/apps";

export function OwnApp({ app }: { app: Schemas["OwnApp"] }) {
  const take = useAct({
    do: async (tab: Window | null) => {
      try {
        const path = { id: app.pool.id };
        const desktop = await answer(
          client.POST("/api/v1/pools/{id}/take", { params: { path }, body: { app: app.id } }),
        );
        const href = appHref(desktop.id, app.id);
        if (tab) tab.location.replace(href);
        else location.assign(href);
      } catch (error) {
        tab?.close();
        throw error;
      }
    },
    touches: ["desktops", "own-pools"],
    bad: () => `${app.name} could not be opened`,
  });
  // While the click lasts: later browsers let no tab be opened.
  const open = () => take.mutate(window.open("", `oriel-app-${app.id}`));
  return (
    <Card component="article" isCompact aria-labelledby={`a-${app.id}`}>
      <CardTitle component="h2" id={`a-${app.id}`}>
        <span className="app-title">
          <AppIcon href={ownIconHref(app)} /> {app.name}
        </span>
      </CardTitle>
      <CardBody>A program of {app.pool.name}, in a tab of its own.</CardBody>
      <CardFooter>
        <ReasonButton
          variant="primary"
          reason={take.isPending ? "On its way" : ""}
          onClick={open}
          aria-label={`Open ${app.name}`}
        >
          Open
        </ReasonButton>
      </CardFooter>
    </Card>
  );
}
