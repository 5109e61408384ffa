/** My desktops: what people come here for. */
import { Gallery, Skeleton, ToggleGroup, ToggleGroupItem } from "@patternfly/react-core";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import type { Schemas } from "../../api/client";
import { Loaded } from "../parts/Loaded";
import { QuotaBars } from "../parts/QuotaBars";
import { desktopsQuery, ownAppsQuery, ownBookingsQuery, ownPoolsQuery, ownQuotaQuery } from "../queries";
import { may } from "../roles";
import { useMe } from "../shell/me";
import { PageHead } from "../shell/PageHead";
import { BookDesktop } from "./desktops/BookDesktop";
import { DesktopCard } from "./desktops/DesktopCard";
import { NoDesktops } from "./desktops/NoDesktops";
import { OwnApp } from "./desktops/OwnApp";
import { OwnBookings } from "./desktops/OwnBookings";
import { OwnPool } from "./desktops/OwnPools";

export function Desktops() {
  const me = useMe();
  const seesAll = may(me, "desktops_read");
  const all = useSearch({ from: "/" }).all === true && seesAll;
  const navigate = useNavigate();
  const desktops = useQuery(desktopsQuery(all));
  const pools = useQuery(ownPoolsQuery);
  const published = useQuery(ownAppsQuery);
  const apps = all ? [] : (published.data ?? []);
  const quota = useQuery(ownQuotaQuery);
  const bookings = useQuery(ownBookingsQuery);
  const [booking, setBooking] = useState<Schemas["BookablePool"] | null>(null);
  const waiting = all ? [] : (pools.data ?? []).filter((pool) => !pool.desktop);

  return (
    <>
      <PageHead
        title={all ? "Everyone's desktops" : "My desktops"}
        actions={
          seesAll && (
            <ToggleGroup aria-label="Whose desktops">
              <ToggleGroupItem
                text="Mine"
                isSelected={!all}
                onChange={() => void navigate({ to: "/", search: {} })}
              />
              <ToggleGroupItem
                text="Everyone's"
                isSelected={all}
                onChange={() => void navigate({ to: "/", search: { all: true } })}
              />
            </ToggleGroup>
          )
        }
      />
      {!all && quota.data && <QuotaBars of={quota.data} label="What you hold of what you may" />}
      <Loaded query={desktops} skeleton={<Cards />}>
        {(list) =>
          list.length === 0 && waiting.length === 0 && apps.length === 0 ? (
            <NoDesktops all={all} />
          ) : (
            <Gallery
              hasGutter
              minWidths={CARD_WIDTHS}
              component="ul"
              aria-label="Desktops"
              className="desktops"
            >
              {list.map((desktop) => (
                <li key={desktop.id}>
                  <DesktopCard
                    desktop={desktop}
                    me={me}
                    inside={list.find((one) => desktop.inside !== null && one.name === desktop.inside)}
                  />
                </li>
              ))}
              {apps.map((app) => (
                <li key={app.id}>
                  <OwnApp app={app} />
                </li>
              ))}
              {waiting.map((pool) => (
                <li key={pool.id}>
                  <OwnPool pool={pool} />
                </li>
              ))}
            </Gallery>
          )
        }
      </Loaded>
      {!all && bookings.data && <OwnBookings of={bookings.data} onBook={setBooking} />}
      {booking && <BookDesktop of={booking} onClose={() => setBooking(null)} />}
    </>
  );
}

const CARD_WIDTHS = { default: "min(100%, 20rem)" };

function Cards() {
  return (
    <Gallery hasGutter minWidths={CARD_WIDTHS}>
      {["a", "b", "c"].map((key) => (
        <Skeleton key={key} height="23rem" screenreaderText="Loading desktops" />
      ))}
    </Gallery>
  );
}
