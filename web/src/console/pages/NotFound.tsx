import { Button, EmptyState, EmptyStateBody, EmptyStateFooter, PageSection } from "@patternfly/react-core";
import SearchIcon from "@patternfly/react-icons/dist/esm/icons/search-icon";
import { Link } from "@tanstack/react-router";
import { PageHead } from "../shell/PageHead";

export function NotFound() {
  return (
    <>
      <PageHead title="No such page" />
      <PageSection isFilled>
        <EmptyState icon={SearchIcon} titleText="There is nothing at this address" headingLevel="h2">
          <EmptyStateBody>It may have been typed wrongly, or the link is old.</EmptyStateBody>
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
