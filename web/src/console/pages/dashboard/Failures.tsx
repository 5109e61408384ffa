/** What needs somebody, the latest first, each with the way to it. */
import { useRouter } from "@tanstack/react-router";
import type { Schemas } from "../../../api/client";
import { sentence } from "../../../api/problem";
import { FAILURES, placeOf } from "../../dashboard";
import { When } from "../../parts/When";

export function Failures({ list }: { list: Schemas["DashboardFailure"][] }) {
  const router = useRouter();
  if (list.length === 0) return <p>Nothing has failed, and everything answers.</p>;
  return (
    <ul className="dash-failures" aria-label="Failures">
      {list.map((one) => {
        const place = placeOf(one);
        return (
          <li key={`${one.kind} ${one.id} ${one.name}`}>
            <p>
              <span className="about">{FAILURES[one.kind]}</span>{" "}
              <a
                href={place}
                className="wrap"
                onClick={(event) => {
                  // With a key held it is the browser's: another tab.
                  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
                  event.preventDefault();
                  router.history.push(place);
                }}
              >
                {one.name}
              </a>
              {one.at && (
                <span className="about">
                  {" "}
                  · <When at={one.at} />
                </span>
              )}
            </p>
            <p className="about wrap">{sentence(one.reason)}</p>
          </li>
        );
      })}
    </ul>
  );
}
