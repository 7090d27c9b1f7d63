// One person's window: the vendor's ChatComposite, unmodified, against the server named in the address.
import { AzureCommunicationTokenCredential } from "@azure/communication-common";
import { ChatComposite, createAzureCommunicationChatAdapter } from "@azure/communication-react";
import { createRoot } from "react-dom/client";

// Behind the #, so that the token is sent to nobody who serves pages.
const { endpoint, token, userId, displayName, threadId } = JSON.parse(
  decodeURIComponent(window.location.hash.slice(1) || "{}"),
);
const root = createRoot(document.getElementById("chat"));

async function reachable() {
  try {
    await fetch(`${endpoint}/health/live`, { mode: "no-cors" });
    return true;
  } catch {
    return false;
  }
}

if (!endpoint) {
  root.render(<p className="note">Open this page by one of the two links that it was started with.</p>);
} else if (!(await reachable())) {
  root.render(
    <p className="note">
      This browser does not trust <a href={`${endpoint}/health/live`}>{endpoint}</a> yet, or nothing answers there. Open that
      address, accept its certificate, and reload this page.
    </p>,
  );
} else {
  document.title = `${displayName} – Chancery`;
  const adapter = await createAzureCommunicationChatAdapter({
    endpoint,
    threadId,
    displayName,
    userId: { communicationUserId: userId },
    credential: new AzureCommunicationTokenCredential(token),
  });
  // For whoever wants to try more than the window offers, in the browser's console.
  window.adapter = adapter;
  root.render(<ChatComposite adapter={adapter} options={{ participantPane: true, topic: true }} />);
}
