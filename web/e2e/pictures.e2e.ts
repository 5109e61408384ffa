/** The README's pictures, from the real thing: `ORIEL_E2E_PICTURES=docs ./test e2e` takes them anew. */
import { afterAll, beforeAll, describe, it } from "vitest";
import { type Desktop, eventually, house, plan, Visit } from "./oriel";

const folder = process.env.ORIEL_E2E_PICTURES;
const SESSION = "DISPLAY=:10 XAUTHORITY=$HOME/.Xauthority";

describe.skipIf(!folder)("pictures", () => {
  let visit: Visit;
  let desktop: Desktop;

  beforeAll(async () => {
    visit = await Visit.start();
    desktop = await visit.desktop(await visit.signIn());
  });
  afterAll(() => visit?.close());

  it("a desktop in a tab", async () => {
    const screen = await visit.view(desktop, "rdp");
    const shell = await visit.shell(desktop);
    const windows = (count: number) =>
      eventually(`${count} windows`, () =>
        shell.answers(`${SESSION} xprop -root _NET_CLIENT_LIST | grep -o 0x | wc -l`, String(count)),
      );
    await shell.run(
      "mkdir -p ~/Documents ~/Music ~/Pictures ~/Videos ~/Projects; touch ~/Notes.txt ~/Budget.ods",
    );
    const before = Number(await shell.run(`${SESSION} xprop -root _NET_CLIENT_LIST | grep -o 0x | wc -l`));
    await shell.run(`${SESSION} setsid thunar $HOME >/dev/null 2>&1 </dev/null &`);
    await windows(before + 1);
    await screen.page.bringToFront();
    await screen.settled();
    // By its title bar to the left.
    await screen.page.mouse.move(500, 136);
    await screen.page.mouse.down();
    await screen.page.mouse.move(380, 120, { steps: 6 });
    await screen.page.mouse.move(330, 96, { steps: 6 });
    await screen.page.mouse.up();
    await shell.run(
      `${SESSION} setsid xfce4-terminal --disable-server --geometry 72x20+520+330 --working-directory $HOME >/dev/null 2>&1 </dev/null &`,
    );
    await windows(before + 2);
    await screen.page.bringToFront();
    await screen.settled();
    await screen.type("uname -sr\nfree -h\nls -l\n");
    await screen.page.mouse.move(420, 760);
    await screen.settled(3000);
    await screen.page.screenshot({ path: `${folder}/desktop-in-a-tab.png` });
  });

  it("my desktops", async () => {
    await house.oriel("desktop", "create", "studio", "--owner", plan.admin.name, "--name", "studio-2");
    const page = await visit.page();
    await page
      .getByRole("article", { name: "studio-2" })
      .getByText("Waiting")
      .first()
      .waitFor()
      .catch(() => undefined);
    await page.waitForTimeout(8000);
    await page.screenshot({ path: `${folder}/my-desktops.png` });
    await house.oriel("desktop", "delete", "studio-2");
  });
});
