// Which page is shown: the login form until the backend knows us, then what the URL says.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link, Route, Switch } from 'wouter';
import { Layout } from './components/layout';
import { logout, meQuery, type User } from './features/auth/api';
import { LoginPage } from './features/auth/login-page';
import { ServerPage } from './features/server/server-page';
import { ServersPage } from './features/servers/servers-page';
import { ApiError } from './lib/api-client';
import { useTheme } from './lib/theme';

export function App() {
  const queryClient = useQueryClient();
  const [theme, toggleTheme] = useTheme();
  const [notice, setNotice] = useState<string>();
  const { data: user, error, isPending, refetch } = useQuery(meQuery);

  const onLogin = (fresh: User) => {
    setNotice(undefined);
    queryClient.setQueryData(meQuery.queryKey, fresh);
  };
  const onLogout = () => {
    void logout().finally(() => {
      queryClient.clear();
      setNotice('You are logged out.');
      void refetch();
    });
  };

  if (isPending) return <main className="login" aria-busy="true" />;
  if (error && !(error instanceof ApiError && error.status === 401)) {
    return (
      <main className="login">
        <div role="alert">
          <h1>pgAnalytics</h1>
          <p>{error.message}</p>
          <button type="button" onClick={() => void refetch()}>
            Try again
          </button>
        </div>
      </main>
    );
  }
  if (!user || error) return <LoginPage onLogin={onLogin} notice={notice} />;
  return (
    <Layout theme={theme} onToggleTheme={toggleTheme} login={user.login} onLogout={onLogout}>
      <Switch>
        <Route path="/">
          <ServersPage />
        </Route>
        <Route path="/servers/:id">{({ id }) => <ServerPage key={id} id={Number(id)} theme={theme} />}</Route>
        <Route>
          <h1>No such page</h1>
          <Link href="/">All servers</Link>
        </Route>
      </Switch>
    </Layout>
  );
}
