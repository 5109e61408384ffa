import { Button, EmptyState, EmptyStateBody, EmptyStateFooter, PageSection } from "@patternfly/react-core";
import LockIcon from "@patternfly/react-icons/dist/esm/icons/lock-icon";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { may, type Permission, ROLES } from "../roles";
import { useMe } from "../shell/me";
import { PageHead } from "../shell/PageHead";

/** For whose role gives `to`. The server refuses the page's data to others anyway; this says it in words. */
export function Only({ to, title, children }: { to: Permission; title: string; children: ReactNode }) {
  const me = useMe();
  if (may(me, to)) return children;
  return (
    <>
      <PageHead title={title} />
      <PageSection isFilled>
        <EmptyState icon={LockIcon} titleText="This page is not for your role" headingLevel="h2">
          <EmptyStateBody>
            {me.role === "user"
              ? "Your account can open desktops. Ask an admin for anything else."
              : `Your role is ${ROLES[me.role].text.toLowerCase()}. Ask an admin for anything else.`}
          </EmptyStateBody>
          <EmptyStateFooter>
            <Button variant="primary" component={(props) => <Link {...props} to="/" />}>
              My desktops
            </Button>
          </EmptyStateFooter>
        </EmptyState>
      </PageSection>
    </>
  );
}
