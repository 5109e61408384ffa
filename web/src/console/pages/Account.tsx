/** One's own account: password, second factor, API tokens. */
import {
  Button,
  Card,
  CardBody,
  CardHeader,
  CardTitle,
  EmptyState,
  EmptyStateBody,
  Grid,
  GridItem,
  PageSection,
} from "@patternfly/react-core";
import { Table, Tbody, Td, Th, Thead, Tr } from "@patternfly/react-table";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { answer, client, type Schemas } from "../../api/client";
import { Confirm } from "../parts/Confirm";
import { Loaded } from "../parts/Loaded";
import { PasswordForm } from "../parts/PasswordForm";
import { Secret } from "../parts/Secret";
import { When } from "../parts/When";
import { tokensQuery } from "../queries";
import { ROLES } from "../roles";
import { useMe } from "../shell/me";
import { PageHead } from "../shell/PageHead";
import { NewToken } from "./account/NewToken";
import { SecondFactorCard } from "./account/SecondFactor";

type Token = Schemas["Token"];

export function Account() {
  const me = useMe();
  return (
    <>
      <PageHead
        title="My account"
        about={`Signed in as ${me.name}${me.role === "user" ? "" : ` · ${ROLES[me.role].text}`}`}
      />
      <PageSection isFilled>
        <Grid hasGutter>
          <GridItem xl={5}>
            <Card>
              <CardTitle component="h2">Password</CardTitle>
              <CardBody>
                {me.provider ? (
                  <p>
                    You sign in by <strong>{me.provider}</strong>, where your password is changed.
                  </p>
                ) : me.directory ? (
                  <p>
                    Your password is kept by the directory <strong>{me.directory}</strong>, and is changed
                    there.
                  </p>
                ) : (
                  <PasswordForm
                    name={me.name}
                    currentLabel="Current password"
                    verb="Change password"
                    onDone={() => {}}
                  />
                )}
              </CardBody>
            </Card>
          </GridItem>
          <GridItem xl={7}>
            <SecondFactorCard />
          </GridItem>
          <GridItem>
            <Tokens />
          </GridItem>
        </Grid>
      </PageSection>
    </>
  );
}

/** What a token may do, in words. */
function reach(token: Token): string {
  if (token.read_only) return "only look";
  const may = token.permissions?.map((one) => one.replaceAll("_", " "));
  return may ? may.join(", ") : "everything that you may";
}

function Tokens() {
  const tokens = useQuery(tokensQuery);
  const [making, setMaking] = useState(false);
  const [made, setMade] = useState<Schemas["TokenMade"] | null>(null);
  const [doomed, setDoomed] = useState<Token | null>(null);

  return (
    <Card>
      <CardHeader
        actions={{
          hasNoOffset: true,
          actions: (
            <Button variant="secondary" size="sm" onClick={() => setMaking(true)}>
              New token
            </Button>
          ),
        }}
      >
        <CardTitle component="h2">API tokens</CardTitle>
        <p className="about">
          For the command line and other programs: they act as you, as far as you let them.
        </p>
      </CardHeader>
      <CardBody>
        <Loaded query={tokens} bare>
          {(list) =>
            list.length === 0 ? (
              <EmptyState titleText="No tokens" headingLevel="h3" variant="xs">
                <EmptyStateBody>
                  Make one to use <code>oriel --server</code> from another machine.
                </EmptyStateBody>
              </EmptyState>
            ) : (
              <Table aria-label="API tokens" variant="compact">
                <Thead>
                  <Tr>
                    <Th modifier="nowrap">Label</Th>
                    <Th modifier="nowrap">Made</Th>
                    <Th modifier="nowrap">May</Th>
                    <Th modifier="nowrap">Ends</Th>
                    <Th screenReaderText="Delete" />
                  </Tr>
                </Thead>
                <Tbody>
                  {list.map((token) => (
                    <Tr key={token.id}>
                      <Td dataLabel="Label" className="wrap">
                        <strong>{token.label}</strong>
                      </Td>
                      <Td dataLabel="Made">
                        <When at={token.created_at} />
                      </Td>
                      <Td dataLabel="May" className="wrap">
                        {reach(token)}
                      </Td>
                      <Td dataLabel="Ends">
                        {token.expires_at ? <When at={token.expires_at} /> : "when deleted"}
                      </Td>
                      <Td className="row-button">
                        <Button
                          variant="link"
                          isDanger
                          size="sm"
                          onClick={() => setDoomed(token)}
                          aria-label={`Delete the token ${token.label}`}
                        >
                          Delete
                        </Button>
                      </Td>
                    </Tr>
                  ))}
                </Tbody>
              </Table>
            )
          }
        </Loaded>
      </CardBody>
      {making && (
        <NewToken
          onClose={() => setMaking(false)}
          onMade={(token) => {
            setMaking(false);
            setMade(token);
          }}
        />
      )}
      {made && (
        <Secret
          title={`Token ${made.label}`}
          label="API token"
          secret={made.token}
          onClose={() => setMade(null)}
        >
          Programs send it as <code>Authorization: Bearer …</code> and can then do what you have let it do.
        </Secret>
      )}
      {doomed && (
        <Confirm
          title={`Delete the token ${doomed.label}?`}
          verb="Delete token"
          do={() => answer(client.DELETE("/api/v1/tokens/{id}", { params: { path: { id: doomed.id } } }))}
          touches={["tokens"]}
          good={() => `The token ${doomed.label} was deleted`}
          onClose={() => setDoomed(null)}
        >
          <p>
            <strong>Programs that use it are refused from now on.</strong>
          </p>
        </Confirm>
      )}
    </Card>
  );
}
