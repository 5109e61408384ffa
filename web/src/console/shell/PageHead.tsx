/** The head of a page: its title (also the tab's), what it is for, and its actions. Says the title to screen readers. */
import { Content, Flex, FlexItem, PageSection, Title } from "@patternfly/react-core";
import { type ReactNode, useEffect, useRef } from "react";

interface Props {
  title: string;
  about?: ReactNode;
  actions?: ReactNode;
}

/** The first page of a visit keeps the browser's own focus; later ones take it, so that reading starts at their title. */
let visited = false;

export function PageHead({ title, about, actions }: Props) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · Oriel`;
    const live = document.getElementById("route-announcer");
    if (live) live.textContent = title;
    if (visited) heading.current?.focus({ preventScroll: true });
    visited = true;
  }, [title]);

  return (
    <PageSection className="page-head" aria-label={title}>
      <Flex
        justifyContent={{ default: "justifyContentSpaceBetween" }}
        alignItems={{ default: "alignItemsFlexEnd" }}
        columnGap={{ default: "columnGapLg" }}
        rowGap={{ default: "rowGapMd" }}
      >
        <FlexItem grow={{ default: "grow" }} className="page-head-text">
          <Title headingLevel="h1" size="2xl">
            <span ref={heading} tabIndex={-1} className="page-title">
              {title}
            </span>
          </Title>
          {about && <Content component="p">{about}</Content>}
        </FlexItem>
        {actions && (
          <FlexItem>
            <Flex columnGap={{ default: "columnGapSm" }} rowGap={{ default: "rowGapSm" }}>
              {actions}
            </Flex>
          </FlexItem>
        )}
      </Flex>
    </PageSection>
  );
}
