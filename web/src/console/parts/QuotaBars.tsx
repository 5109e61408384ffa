/** What somebody holds of what they may: a bar for each limit, and nothing where nothing is limited. */
import { Flex, FlexItem, Progress } from "@patternfly/react-core";
import type { Schemas } from "../../api/client";
import { bars } from "../quota";

export function QuotaBars({ of, label }: { of: Schemas["QuotaStanding"]; label: string }) {
  const list = bars(of);
  if (list.length === 0) return null;
  return (
    <Flex component="ul" aria-label={label} columnGap={{ default: "columnGapXl" }} className="quota">
      {list.map((bar) => {
        const full = bar.held >= bar.most;
        return (
          <FlexItem component="li" key={bar.key}>
            <Progress
              size="sm"
              measureLocation="top"
              title={bar.text}
              aria-label={bar.text}
              label={full ? "full" : " "}
              value={full ? 1 : bar.held}
              max={full ? 1 : bar.most}
              variant={full ? "warning" : undefined}
              helperText={bar.by}
            />
          </FlexItem>
        );
      })}
    </Flex>
  );
}
