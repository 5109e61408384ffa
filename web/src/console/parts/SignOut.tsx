/** The way back from the door. */
import { Button } from "@patternfly/react-core";
import { useQueryClient } from "@tanstack/react-query";
import { answer, client, setCsrf } from "../../api/client";
import { meQuery } from "../queries";

export function SignOut() {
  const queries = useQueryClient();
  return (
    <Button
      variant="link"
      isInline
      onClick={() => {
        void answer(client.POST("/api/v1/logout"))
          .catch(() => {})
          .then(() => setCsrf(""))
          .then(() => queries.resetQueries({ queryKey: meQuery.queryKey }));
      }}
    >
      Sign out instead
    </Button>
  );
}
